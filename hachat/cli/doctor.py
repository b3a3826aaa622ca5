"""`hachat doctor`: is Redis set up so that the promises hold?"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click
import httpx
import msgspec
import trio
from msgspec.structs import replace
from rich.console import RenderableType
from rich.text import Text

from hachat.cli.options import DEGRADED, config_option, open_link, read_settings
from hachat.cli.screen import make_console
from hachat.cli.table import make_table
from hachat.core.diagnosis import diagnose
from hachat.core.facts import Finding, Peer
from hachat.core.settings import Settings
from hachat.store.examination import examine
from hachat.store.keys import Keys
from hachat.store.rights import find_rights
from hachat.store.status import NodeStatus, read_status

PATIENCE = 0.5
"""Seconds a node has to tell its time."""

_STYLES = {"ok": "green", "warning": "yellow", "UNSAFE": "bold red", "unknown": "yellow"}


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def doctor(config: Path | None, *, as_json: bool) -> None:
    """Look whether Redis, its replicas and Sentinels are set up so that the promises hold.

    Exits with 0 when nothing is UNSAFE, warnings or not; 4 when something is; 5 when Redis cannot be
    reached.
    """
    settings = read_settings(config)
    findings = trio.run(_examine, settings)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(findings)))
    else:
        make_console().print(_tabulate(findings))
    sys.exit(DEGRADED if any(each.verdict == "UNSAFE" for each in findings) else 0)


async def _examine(settings: Settings) -> list[Finding]:
    keys = Keys(settings.cluster)
    async with open_link(settings) as link:
        facts = await examine(link)
        rights = await find_rights(link, keys)
        unable = rights.denied or rights.missing or rights.failing
        nodes = [] if unable else (await read_status(link, keys)).nodes
        peers = await _ask([node for node in nodes if node.role != "dead"])
    facts = replace(facts, peers=peers, rights=rights)
    return diagnose(facts, settings.redis, settings.lease)


async def _ask(nodes: Sequence[NodeStatus]) -> list[Peer]:
    peers: list[Peer] = []

    async def ask(node: NodeStatus) -> None:
        peers.append(Peer(node.name, node.version, await _read_clock(client, node)))

    async with (
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client,
        trio.open_nursery() as nursery,
    ):
        for node in nodes:
            nursery.start_soon(ask, node)
    return sorted(peers, key=lambda peer: peer.name)


async def _read_clock(client: httpx.AsyncClient, node: NodeStatus) -> float | None:
    began = time.time()
    with (
        trio.move_on_after(PATIENCE),
        suppress(httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError),
    ):
        said = (await client.get(f"{node.http}/healthz")).headers
        # A node that listens on loopback only gives an address at which others find themselves.
        if said["X-Hachat-Node"] == node.name:
            return float(said["X-Hachat-Time"]) - (began + time.time()) / 2
    return None


def _tabulate(findings: Sequence[Finding]) -> RenderableType:
    table = make_table("CHECK", "VERDICT", "FOUND", "WHAT TO DO")
    for each in findings:
        verdict = Text(each.verdict, style=_STYLES[each.verdict])
        table.add_row(each.check, verdict, each.found, each.advice)
    return table
