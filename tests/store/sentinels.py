"""A master, its replica and three Sentinels on loopback, for tests that let Redis fail over."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from hachat.store.embedded import Server, find_binary, free_port, run_child, run_server
from tests.waiting import until_sync

SERVICE = "mymaster"


@dataclass(frozen=True)
class Node:
    """One Sentinel process."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        """Where it listens, as the settings want it."""
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Cluster:
    """The five processes; `servers[0]` is the master at first."""

    servers: Sequence[Server]
    sentinels: Sequence[Node]

    @property
    def addresses(self) -> list[str]:
        """Where the Sentinels listen."""
        return [sentinel.address for sentinel in self.sentinels]

    def tell(self, *command: str) -> Any:
        """Return the first Sentinel's reply to `SENTINEL command`."""
        with _talk(self.sentinels[0].port) as client:
            return _ask(client, *command)

    def fail_over(self) -> None:
        """Ask for a planned failover."""
        self.tell("FAILOVER", SERVICE)


@contextmanager
def run_cluster(
    directory: Path, *, password: str = "", sentinel_password: str = "", min_replicas: int = 0
) -> Iterator[Cluster]:
    """Run the cluster until the block ends; it is ready to fail over when the block begins."""
    options = ["--min-replicas-to-write", str(min_replicas), "--min-replicas-max-lag", "2"]
    options += [
        "--repl-diskless-sync-delay",
        "0",
        *(["--masterauth", password] if password else []),
    ]
    with ExitStack() as stack:
        master = stack.enter_context(
            run_server(directory / "master", password=password, options=options)
        )
        follow = ["--replicaof", f"{master.host} {master.port}", *options]
        replica = stack.enter_context(
            run_server(directory / "replica", password=password, options=follow)
        )
        _wait_until_attached(replica)
        nodes = [(free_port(), token_hex(20)) for _ in range(3)]
        sentinels = [
            stack.enter_context(
                _run_sentinel(directory, number, nodes, [master, replica], sentinel_password)
            )
            for number in range(3)
        ]
        cluster = Cluster([master, replica], sentinels)
        _wait_until_ready(cluster, sentinel_password)
        yield cluster


@contextmanager
def _run_sentinel(
    directory: Path,
    number: int,
    nodes: Sequence[tuple[int, str]],
    servers: Sequence[Server],
    password: str,
) -> Iterator[Node]:
    # Told of each other beforehand, they need not find each other, which takes them seconds.
    port, name = nodes[number]
    master, replica = servers
    others = [node for node in nodes if node[1] != name]
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        f"dir {directory}",
        f"logfile {directory}/sentinel-{number}.log",
        *([f"requirepass {password}"] if password else []),
        f"sentinel myid {name}",
        f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} 2",
        f"sentinel down-after-milliseconds {SERVICE} 1200",
        f"sentinel failover-timeout {SERVICE} 6000",
        *([f"sentinel auth-pass {SERVICE} {master.password}"] if master.password else []),
        *([f"sentinel sentinel-pass {password}"] if password else []),
        f"sentinel known-replica {SERVICE} 127.0.0.1 {replica.port}",
        *(f"sentinel known-sentinel {SERVICE} 127.0.0.1 {peer} {other}" for peer, other in others),
    ]
    conf = directory / f"sentinel-{number}.conf"
    conf.write_text("\n".join(lines) + "\n")
    with run_child([str(find_binary()), str(conf), "--sentinel"]) as process:
        yield Node(port, process)


def _wait_until_attached(replica: Server) -> None:
    with _talk(replica.port, replica.password) as client:
        until_sync(lambda: client.info("replication")["master_link_status"] == "up")


def _wait_until_ready(cluster: Cluster, password: str) -> None:
    for sentinel in cluster.sentinels:
        with _talk(sentinel.port, password) as client:
            until_sync(partial(_is_ready, client))


def _is_ready(sentinel: redis.Redis) -> bool:
    # Ready to agree on a failover: it sees the master, the replica and both other Sentinels.
    try:
        state, replicas, others = [
            _ask(sentinel, kind, SERVICE) for kind in ("MASTER", "REPLICAS", "SENTINELS")
        ]
    except redis.ConnectionError:
        return False
    flags = [each["flags"] for each in (state, *replicas, *others)]
    return flags == ["master", "slave", "sentinel", "sentinel"]


def _ask(sentinel: redis.Redis, *command: str) -> Any:
    return sentinel.execute_command("SENTINEL", *command)  # type: ignore[no-untyped-call]


def _talk(port: int, password: str = "") -> redis.Redis:
    no_retry = Retry(NoBackoff(), 0)
    return redis.Redis(
        port=port,
        password=password or None,
        socket_timeout=1.0,
        retry=no_retry,
        decode_responses=True,
    )
