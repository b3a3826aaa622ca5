"""The command as a user runs it, and what it then finds in Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import trio
from click.testing import CliRunner, Result

from hachat.cli.commands import main
from hachat.store.embedded import Server
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link

T = TypeVar("T")
Prepare = Callable[[Link, Keys], Awaitable[T]]


class Place:
    """A folder with settings, and the cluster that they name in a Redis of its own keys."""

    def __init__(self, folder: Path, server: Server, keys: Keys) -> None:
        self.keys = keys
        self.file = folder / "hachat.toml"
        self._url = server.url
        self.configure()

    def configure(self, more: str = "") -> None:
        """Write the settings."""
        self.file.write_text(
            f'cluster = "{self.keys.cluster}"\nnode = "n1"\n[redis]\nurl = "{self._url}"\n{more}'
        )

    def do(self, action: Prepare[T]) -> T:
        """Do something with the cluster's Redis, and return what comes of it."""

        async def act() -> T:
            link = Link(Direct(self._url))
            async with trio.open_nursery() as nursery:
                await nursery.start(link.run)
                result = await action(link, self.keys)
                nursery.cancel_scope.cancel()
            return result

        return trio.run(act)

    def run(
        self, *arguments: str, typed: str | None = None, env: Mapping[str, str] | None = None
    ) -> Result:
        """Run the command with these settings, in this process, whose logging it leaves alone."""
        command = [*arguments, "--config", str(self.file)]
        with patch("hachat.daemon.logging.configure"):
            return CliRunner().invoke(main, command, input=typed, env=env)
