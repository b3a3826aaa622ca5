"""`hachat pause`, `resume`, `drain` and `undrain`: what operators order of the election and of nodes."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import trio

from hachat.cli.options import config_option, open_link, read_settings, read_span
from hachat.cluster.orders import Orders
from hachat.core.plain import show, show_json
from hachat.store.keys import Keys

T = TypeVar("T")

_reason = click.option("--reason", default="", help="Why, for whoever looks at the cluster.")
_by = click.option("--by", default=getpass.getuser, help="Who orders it; else your login name.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a sentence.")


@click.command()
@config_option
@click.option(
    "--for",
    "seconds",
    metavar="TIME",
    callback=read_span,
    help="End by itself after 90, 30s, 15m, 2h, 3d.",
)
@_reason
@_by
@_json
def pause(
    config: Path | None, *, seconds: float | None, reason: str, by: str, as_json: bool
) -> None:
    """Freeze elections: the master stays, and nobody takes over by itself.

    Not when the master dies, either: then nobody is master until the same node is back or somebody says
    `hachat resume`. A step-down to a named node goes on working.
    """
    if seconds == 0:
        raise click.BadParameter("a pause of no time is none", param_hint="--for")
    order = _act(config, lambda orders: orders.pause(by=by, reason=reason, seconds=seconds))
    _tell(
        {"paused": order},
        f"elections are paused {order.describe()}; if the master dies now, nobody takes over",
        as_json=as_json,
    )


@click.command()
@config_option
@_by
@_json
def resume(config: Path | None, *, by: str, as_json: bool) -> None:
    """End a pause; if nobody is master, somebody will be at once."""
    done = _act(config, lambda orders: orders.resume(by=by))
    words = "elections go on" if done else "elections were not paused"
    _tell({"resumed": done}, words, as_json=as_json)


@click.command()
@config_option
@click.argument("node")
@_reason
@_by
@click.option("--force", is_flag=True, help="Even if nobody is master then.")
@_json
def drain(
    config: Path | None, node: str, *, reason: str, by: str, force: bool, as_json: bool
) -> None:
    """Have NODE take no new work, and never be master.

    It finishes what it has begun, and still takes webhooks for others to handle. If it is master, another takes over
    first; if nobody can, it is refused. It stays drained until `hachat undrain`, also when it is started anew.
    """
    done = _act(config, lambda orders: orders.drain(node, by=by, reason=reason, force=force))
    words = f"{done.node} is drained"
    if done.was_master:
        words += f"; it was master, now {done.master or 'nobody'} is"
    _tell(done, words, as_json=as_json)


@click.command()
@config_option
@click.argument("node")
@_by
@_json
def undrain(config: Path | None, node: str, *, by: str, as_json: bool) -> None:
    """Have NODE take work again, and be master if it comes to that; a hold of a step-down ends too."""
    done = _act(config, lambda orders: orders.undrain(node, by=by))
    words = f"{node} takes work again" if done else f"{node} was not drained"
    _tell({"node": node, "undrained": done}, words, as_json=as_json)


def _act(config: Path | None, order: Callable[[Orders], Awaitable[T]]) -> T:
    settings = read_settings(config)

    async def act() -> T:
        async with open_link(settings) as link:
            return await order(Orders(link, Keys(settings.cluster)))

    return trio.run(act)


def _tell(value: Any, words: str, *, as_json: bool) -> None:
    click.echo(show_json(value) if as_json else show(words))
