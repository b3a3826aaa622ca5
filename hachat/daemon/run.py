"""The daemon as a process: its handlers and adapters loaded, its signals taken, its exit code chosen."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import structlog
import trio

from hachat.bot.catalogue import find_rivals
from hachat.bot.handler import Handler
from hachat.bot.handlers.about import About
from hachat.bot.handlers.auth import Auth
from hachat.bot.handlers.chores import Chores
from hachat.bot.handlers.cluster import Cluster
from hachat.bot.handlers.help import Help
from hachat.bot.handlers.info import Info
from hachat.bot.handlers.people import People
from hachat.bot.handlers.ping import Ping
from hachat.bot.handlers.presence import Presence
from hachat.bot.handlers.stepdown import StepDown
from hachat.bot.loading import Plugins, find_installed, load
from hachat.bot.robot import Robot
from hachat.chat.abilities import Joins
from hachat.cluster.pulse import Notifier
from hachat.core.errors import HandlerError, NewerLayout, NodeNameTaken, SettingsError
from hachat.core.settings import Settings, warnings
from hachat.daemon import floor, lease_file, logging
from hachat.daemon.adapters import make_adapters
from hachat.daemon.configuration import changes
from hachat.daemon.leaving import end_process, limited, longest_leave
from hachat.daemon.node import Node
from hachat.daemon.sources import make_link
from hachat.daemon.stepdown import move
from hachat.store.dead import DeadLetters
from hachat.store.jobs import Jobs
from hachat.store.keys import Keys
from hachat.store.status import Status, read_version

log = structlog.get_logger(__name__)

SERVED = 0
"""Exit code: it was told to leave, and left."""

FAILED = 1
"""Exit code: something went wrong that a restart may mend."""

NOT_LIKE_THIS = 78
"""Exit code (EX_CONFIG of sysexits.h): a restart with the same settings would end the same way."""

Reload = Callable[[], Settings]
"""Reads the settings again; raises SettingsError."""


def run(settings: Settings, folder: Path, reload: Reload) -> int:
    """Run a node until it is told to leave, and return the exit code of the process.

    `folder` is where the settings file lies; a `handlers` folder beside it is loaded.
    """
    faulthandler.enable()  # the watchdog's SIGABRT then shows where the loop was stuck
    daemon = Daemon(settings, folder, reload)
    spare_collector()
    return trio.run(daemon.run)


def spare_collector() -> None:
    """Let the garbage collector search less often, and not again and again through what was loaded to stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def load_plugins(settings: Settings, folder: Path, builtins: Sequence[Handler] = ()) -> Plugins:
    """Return the handlers the settings, the installed packages and the folder name, with every fault."""
    names = [*find_installed(), *settings.handlers]
    return load(names, folder=folder / "handlers", sections=settings.handler, builtins=builtins)


class Daemon:
    """A node and what surrounds it in a process of its own."""

    def __init__(self, settings: Settings, folder: Path, reload: Reload) -> None:
        self._settings = settings
        self._reload = reload
        self._notifier = Notifier()
        link = make_link(settings.redis, settings.redis.timeout)
        keys = Keys(settings.cluster)
        self._letters = DeadLetters(link, keys, settings.queue)
        adapters = make_adapters(settings, link, keys)
        closed = [adapter.name for adapter in adapters if not isinstance(adapter, Joins)]
        builtins = [
            Ping(),
            Help(),
            People(),
            Auth(),
            Info(partial(read_version, link)),
            Cluster(self._read_status),
            About(),
            Presence(closed),
            StepDown(self._read_status, partial(move, link, keys)),
            Chores(Jobs(link, keys), self._letters),
        ]
        plugins = load_plugins(settings, folder, builtins)
        self._faults = plugins.faults
        self._rivals = list(find_rivals(plugins.routes))
        self._robot = Robot(
            plugins.routes,
            settings.bot.name,
            settings.bot.aliases,
            node=settings.node,
            threads=settings.worker.threads,
            timeout=settings.worker.timeout,
            language=settings.bot.language,
        )
        self._robot.services.unknown = settings.bot.unknown
        self._node = Node(
            settings,
            link,
            self._robot,
            adapters,
            self._notifier,
            lease_file=lease_file.locate(os.environ),
            floor_file=floor.locate(os.environ),
        )

    async def _read_status(self) -> Status:
        return await self._node.status()

    async def run(self) -> int:
        """Run the node and take signals until it has left; return the exit code."""
        logging.configure(self._settings.log, self._settings.node, role=self._node.role)
        for fault in self._faults:
            log.error(logging.NOT_LOADED, error=str(fault), exc_info=fault.__cause__)
        for rivals in self._rivals:
            log.warning("two commands are written alike", reason=rivals)
        for warning in warnings(self._settings):
            log.warning("the settings promise less than they could", reason=warning)
        code = SERVED
        try:
            await self._serve()
        except* (NodeNameTaken, NewerLayout, HandlerError, SettingsError) as group:
            code = NOT_LIKE_THIS
            _tell(group)
        except* OSError as group:
            code = FAILED
            _tell(group)
        return code

    async def _serve(self) -> None:
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            await nursery.start(self._take_signals, stop)
            async with limited(stop, longest_leave(self._settings), end_process):
                await self._node.run(stop)
            nursery.cancel_scope.cancel()
        log.info("left")

    async def _take_signals(
        self, stop: trio.Event, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            task_status.started()
            async for number in signals:
                if number == signal.SIGHUP:
                    self._reread()
                elif stop.is_set():
                    log.warning("leaving at once", signal=signal.Signals(number).name)
                    os._exit(128 + number)
                else:
                    log.info("asked to leave", signal=signal.Signals(number).name)
                    stop.set()

    def _reread(self) -> None:
        """Take over what may change in a running process, and say what needs a restart."""
        self._notifier.reloading()
        try:
            new = self._reload()
        except SettingsError as error:
            log.error("the settings were not read again; the old ones stay", error=str(error))
        else:
            applied, waiting = changes(self._settings, new)
            logging.configure(new.log, self._settings.node, role=self._node.role)
            self._robot.configure(new.bot.aliases, new.worker.timeout)
            self._robot.services.access.settings = new.access
            self._robot.services.unknown = new.bot.unknown
            self._node.configure(new.queue)
            self._letters.limits = new.queue
            self._settings = new
            log.info("settings read again", applied=applied, after_a_restart=waiting)
        finally:
            self._notifier.ready()


def _tell(group: BaseExceptionGroup[BaseException]) -> None:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            _tell(error)
        else:
            log.error("cannot run", error=str(error) or repr(error))
