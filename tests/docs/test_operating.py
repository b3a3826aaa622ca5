"""The configurations of docs/operating.md, as they stand there: started, judged by the doctor, and failing over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import redis
from click.testing import CliRunner
from structlog.testing import capture_logs

from hachat.cli.commands import main
from hachat.store.embedded import free_port, run_child
from tests.store.binaries import find_redis
from tests.waiting import until_sync

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
FILES: Mapping[str, str] = dict(
    re.findall(r"^```(?:conf|toml) (\S+)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
)
HOSTS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")


@dataclass
class Servers:
    """Servers on ports of loopback; `stores` (Redis) and `sentinels` are those of each host."""

    folder: Path
    stores: Mapping[str, int]
    sentinels: Mapping[str, int]

    def translate(self, text: str, host: str = "") -> str:
        """Return a file for `host` with our addresses in the place of the page's."""
        for other in HOSTS:
            text = text.replace(f"bind {other}", "bind 127.0.0.1")
            text = text.replace(f"{other}:26379", f"127.0.0.1:{self.sentinels[other]}")
            text = text.replace(f"{other} 6379", f"127.0.0.1 {self.stores[other]}")
        if host:
            text = text.replace("port 6379", f"port {self.stores[host]}", 1)
            text = text.replace("port 26379", f"port {self.sentinels[host]}", 1)
        return text

    def ask(self, host: str) -> redis.Redis:
        """Return somebody with redis-cli at a Redis."""
        return redis.Redis(port=self.stores[host], password="secret", decode_responses=True)

    def examine(self) -> tuple[int, dict[str, Any]]:
        """Return the doctor's exit code, and what it found by the name of the check."""
        command = ["doctor", "--json", "--config", str(self.folder / "hachat.toml")]
        with patch("hachat.daemon.logging.configure"), capture_logs():  # this process keeps its own
            done = CliRunner().invoke(main, command)
        findings = json.loads(done.stdout) if done.stdout else []
        return done.exit_code, {each["check"]: each for each in findings}


@contextmanager
def run_three(folder: Path, *, stores: int = 3) -> Iterator[Servers]:
    """Run a Sentinel for each host, and a Redis for so many of them."""
    servers = Servers(folder, {h: free_port() for h in HOSTS}, {h: free_port() for h in HOSTS})
    (folder / "hachat.toml").write_text(servers.translate(FILES["hachat.toml"]) + "timeout = 5.0\n")
    with ExitStack() as stack:
        for kind in ("redis", "sentinel"):
            for host in HOSTS[: stores if kind == "redis" else None]:
                stack.enter_context(run_one(servers, kind, host))
            if kind == "redis":
                until_sync(lambda: count_replicas(servers) == stores - 1)
        yield servers


@contextmanager
def run_one(servers: Servers, kind: str, host: str) -> Iterator[None]:
    """Run one of them with the page's file."""
    place = servers.folder / f"{kind}-{host}"
    place.mkdir()
    text = servers.translate(FILES[f"{kind}.conf"], host)
    if kind == "redis" and host == HOSTS[0]:
        text = re.sub(r"^replicaof.*$", "", text, flags=re.MULTILINE)
    file = place / f"{kind}.conf"
    file.write_text(f"{text}\ndir {place}\nlogfile {place}/log\n")
    command = [str(find_redis()), str(file), *(["--sentinel"] if kind == "sentinel" else [])]
    with run_child(command):
        yield


def count_replicas(servers: Servers) -> int:
    """Return how many replicas the first Redis has; none while it does not answer."""
    try:
        with closing(servers.ask(HOSTS[0])) as client:
            info: Any = client.info("replication")
            return sum(
                info[f"slave{n}"]["state"] == "online" for n in range(info["connected_slaves"])
            )
    except redis.ConnectionError:
        return 0


@pytest.mark.parametrize(("stores", "warned"), [(3, {"hosts"}), (2, {"hosts", "replicas"})])
def test_the_servers_are_safe_and_stay_so_after_a_failover(
    tmp_path: Path, stores: int, warned: set[str]
) -> None:
    """Nothing but that all of them are on one machine here, and of two that none is to spare.

    Then the first Redis is replaced, and it is so again.
    """
    with run_three(tmp_path, stores=stores) as servers:

        def is_safe() -> bool:
            _, found = servers.examine()  # nothing, while a failover is under way
            return {name for name, each in found.items() if each["verdict"] != "ok"} == warned

        until_sync(is_safe, 30.0)
        code, found = servers.examine()
        assert (code, found["successors"]["verdict"]) == (0, "ok")

        port = servers.sentinels[HOSTS[1]]
        with closing(redis.Redis(port=port, decode_responses=True)) as sentinel:
            ask: Any = sentinel.execute_command

            def has_moved() -> bool:
                return bool(ask("SENTINEL", "MASTER", "hachat")["port"] != servers.stores[HOSTS[0]])

            ask("SENTINEL", "FAILOVER", "hachat")
            until_sync(has_moved, 30.0)
        until_sync(is_safe, 30.0)


def test_without_its_replicas_a_master_acknowledges_nothing(tmp_path: Path) -> None:
    """What the page says of two servers of which one is gone."""
    with run_three(tmp_path) as servers, closing(servers.ask(HOSTS[0])) as master:
        assert master.set("x", "1")
        for host in HOSTS[1:]:
            with closing(servers.ask(host)) as other:
                other.replicaof("127.0.0.1", free_port())

        def refuses() -> bool:
            try:
                master.set("x", "2")
            except redis.ResponseError as error:
                return "NOREPLICAS" in str(error) or "replicas to write" in str(error)
            except redis.ConnectionError:
                return False
            return False

        until_sync(refuses, 20.0)


def test_one_server_has_one_warning(tmp_path: Path) -> None:
    """That it is one."""
    port = free_port()
    conf = FILES["single/redis.conf"].replace("port 6379", f"port {port}")
    (tmp_path / "redis.conf").write_text(f"{conf}\ndir {tmp_path}\nlogfile {tmp_path}/log\n")
    toml = FILES["single/hachat.toml"].replace(":6379/", f":{port}/")
    (tmp_path / "hachat.toml").write_text(toml)
    servers = Servers(tmp_path, {}, {})
    with run_child([str(find_redis()), str(tmp_path / "redis.conf")]):
        with closing(redis.Redis(port=port)) as client:
            until_sync(lambda: answers(client))
        code, found = servers.examine()
    assert code == 0
    assert {name for name, each in found.items() if each["verdict"] != "ok"} == {"replicas"}


def test_the_user_of_the_page_may_do_all_that_is_needed(tmp_path: Path) -> None:
    """With the very line, on Redis 7."""
    (line,) = re.findall(r"^(ACL SETUSER hachat .*)$", PAGE.read_text(), re.MULTILINE)
    port = free_port()
    command = [str(find_redis()), "--port", str(port), "--dir", str(tmp_path), "--save", ""]
    (tmp_path / "hachat.toml").write_text(
        f'node = "n"\n[redis]\nurl = "redis://hachat:secret@127.0.0.1:{port}"\n'
    )
    with run_child(command):
        with closing(redis.Redis(port=port)) as client:
            until_sync(lambda: answers(client))
            client.execute_command(*line.split())  # type: ignore[no-untyped-call]
        _, found = Servers(tmp_path, {}, {}).examine()
    assert found["rights"]["verdict"] == "ok", found["rights"]


def answers(client: redis.Redis) -> bool:
    """Tell whether a server is there."""
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.mark.parametrize("name", ["redis.conf", "sentinel.conf", "hachat.toml"])
def test_the_page_has_the_files(name: str) -> None:
    """What the tests above start is on the page."""
    assert FILES[name].strip()
