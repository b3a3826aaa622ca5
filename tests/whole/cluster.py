"""A whole cluster of our own: a server, and daemons that are processes as in production."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from subprocess import Popen

import trio

from hachat.cluster.candidates import find_candidates
from hachat.cluster.stepdown import Succession, step_down
from hachat.core.stepdown import Order
from hachat.store.embedded import Server, run_child, run_server
from hachat.store.keys import GROUP, LANES, Keys
from hachat.store.lease import LeaseView
from hachat.store.link import Direct, Link
from hachat.store.status import NodeStatus, Status, read_status
from tests.store.proxy import Proxy
from tests.waiting import until

HASTY = """
[worker]
heartbeat = 0.5
node_ttl = 2.0
"""
"""Settings under which a node that is gone is missed after 2 s instead of 10."""

PROGRAM = ("-m", "hachat")
"""What a daemon is to Python."""

_MAIN = "from hachat.cli import main; main(prog_name='hachat')"


@dataclass
class Daemon:
    """One node; `process` is the present one of its name, `program` what Python runs in it.

    `release` is a folder with another release's code, `before` the command that runs its own.
    """

    name: str
    file: Path
    log: Path
    program: Sequence[str] = PROGRAM
    process: Popen[bytes] = field(init=False)
    release: Path | None = None
    before: Sequence[str] = ()

    def start(self, children: ExitStack) -> None:
        """Start a process that ends with `children`, or with us."""
        way = self.program
        if self.release is not None:
            way = ["-c", f"import sys; sys.path.insert(0, {str(self.release)!r}); {_MAIN}"]
        self.runtime.mkdir(exist_ok=True)
        place = [*self.before, "env", f"RUNTIME_DIRECTORY={self.runtime}"]
        command = [*place, sys.executable, *way, "run", "--config", str(self.file)]
        self.process = children.enter_context(run_child(command, output=self.log))

    @property
    def runtime(self) -> Path:
        """The directory that systemd would make for it."""
        return self.file.with_suffix(".run")

    async def give_back(self) -> subprocess.CompletedProcess[bytes]:
        """Do what systemd does once it has ended."""
        return await trio.run_process(
            [*self.before, sys.executable, "-m", "hachat", "release"],
            env=os.environ | {"RUNTIME_DIRECTORY": str(self.runtime), "SERVICE_RESULT": "signal"},
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )

    def leave(self) -> None:
        """Ask it to leave, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.log.read_text()[-2000:]

    def kill(self) -> None:
        """End it so that it can do nothing more about anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@dataclass
class Cluster:
    """The server, the daemons by name, and a link to look at them through; `proxies` stand between each and the server."""

    server: Server
    daemons: dict[str, Daemon]
    link: Link
    keys: Keys
    children: ExitStack
    proxies: dict[str, Proxy] = field(default_factory=dict)

    async def status(self) -> Status:
        """Return what there is to see."""
        return await read_status(self.link, self.keys)

    async def alive(self) -> dict[str, NodeStatus]:
        """Return the nodes whose present process is in the cluster."""
        return {
            node.name: node
            for node in (await self.status()).nodes
            if node.role != "dead" and node.pid == self.daemons[node.name].process.pid
        }

    async def wait_complete(self, within: float = 20.0) -> Status:
        """Return once every daemon is in the cluster and one of them is master."""

        async def complete() -> Status | None:
            for daemon in self.daemons.values():
                assert daemon.process.poll() is None, daemon.log.read_text()[-2000:]
            status = await self.status()
            whole = len(await self.alive()) == len(self.daemons)
            return status if whole and status.master else None

        status: Status = await until(complete, within)
        return status

    async def hand_over(self) -> Succession:
        """Move the lease to another node."""
        find = partial(find_candidates, self.link, self.keys)
        return await step_down(LeaseView(self.link, self.keys), find, Order())

    async def kill_master(self) -> str:
        """Kill the master and return its name."""
        name = (await self.status()).master
        assert name is not None
        self.daemons[name].kill()
        return name

    async def kill_worker(self) -> str:
        """Kill a standby while it has a message in hand and return its name."""
        name: str = await until(self._find_busy_standby, 10.0)
        self.daemons[name].kill()
        return name

    async def wait_recovered(self, within: float = 20.0) -> None:
        """Return once the messages that a killed node had in hand have been dealt with by others.

        A message that three nodes die with is given up, so who kills nodes one after the other waits for this.
        """

        async def is_recovered() -> bool:
            nodes: int = await self.link.command("ZCARD", self.keys.of("nodes"))
            deaths = await self.link.command("EXISTS", self.keys.of("deaths"))
            return nodes == len(self.daemons) and not deaths

        await until(is_recovered, within)

    def restart(self, name: str) -> None:
        """Start a process under this name, the first or another one."""
        self.daemons[name].start(self.children)

    async def _find_busy_standby(self) -> str:
        master = (await self.status()).master
        for lane in LANES:
            _, _, _, held = await self.link.command("XPENDING", self.keys.ready(lane), GROUP)
            for consumer, _ in held or ():
                name: str = consumer.decode().partition(":")[0]
                if name != master and self.daemons[name].process.poll() is None:
                    return name
        return ""


@asynccontextmanager
async def run_cluster(
    directory: Path,
    *,
    nodes: Sequence[str] = ("node-1", "node-2", "node-3"),
    settings: str = "",
    own: Callable[[str], str] = lambda _: "",
    handlers: str = "tests.whole.handlers",
    proxied: bool = False,
    program: Sequence[str] = PROGRAM,
) -> AsyncIterator[Cluster]:
    """Run a server and daemons for the length of the block; `settings` is TOML for all of them, `own` for one of a name.

    It blocks the loop while processes start and end, so nothing else should run beside its entry and exit.
    """
    keys = Keys("whole")
    with run_server(directory / "valkey") as server, ExitStack() as children:
        link = Link(Direct(server.url))
        async with trio.open_nursery() as nursery:
            await nursery.start(link.run)
            proxies = {name: Proxy(server.port) for name in nodes if proxied}
            for proxy in proxies.values():
                await nursery.start(proxy.run)
            cluster = Cluster(server, {}, link, keys, children, proxies)
            for name in nodes:
                url = proxies[name].url if proxied else server.url
                text = settings + own(name)
                file = _write_settings(directory, name, keys, url, text, handlers=handlers)
                cluster.daemons[name] = Daemon(name, file, directory / f"{name}.log", program)
                cluster.restart(name)
            await cluster.wait_complete()
            yield cluster
            nursery.cancel_scope.cancel()


def _write_settings(
    directory: Path, name: str, keys: Keys, url: str, settings: str, *, handlers: str
) -> Path:
    file = directory / f"{name}.toml"
    file.write_text(
        f'cluster = "{keys.cluster}"\nnode = "{name}"\nhandlers = ["{handlers}"]\n'
        f'[redis]\nurl = "{url}"\n[web]\nport = 0\n{settings}'
    )
    return file
