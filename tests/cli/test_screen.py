"""What is drawn again and again, and what a pipe is given."""

from __future__ import annotations

import pytest
from rich.console import RenderableType

from hachat.cli import screen
from hachat.core.errors import StoreUnavailable
from hachat.core.redis_settings import RedisSettings
from hachat.core.settings import Settings
from hachat.store.embedded import Server
from hachat.store.link import Link


class Enough(Exception):
    """Raised when somebody has seen enough, as Ctrl-C would be."""


def test_a_pipe_is_wide_and_plain(capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no terminal a line of a table is not broken, and nothing is coloured."""
    screen.make_console().print("[bold]x[/bold]" + "y" * 150)

    assert capsys.readouterr().out == "x" + "y" * 150 + "\n"


async def test_it_is_drawn_again_until_it_is_ended(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While Redis is away that is what is shown, and it goes on when it is back; whatever else goes wrong ends it."""
    monkeypatch.setattr(screen, "_EVERY", 0.01)
    pictures = ["first", StoreUnavailable("Redis is away"), "last", Enough()]

    async def draw(link: Link) -> RenderableType:
        assert await link.command("PING") == b"PONG"
        picture = pictures.pop(0)
        if isinstance(picture, Exception):
            raise picture
        return str(picture)

    with pytest.RaisesGroup(Enough, flatten_subgroups=True):
        await screen.watch_for_ever(Settings(redis=RedisSettings(url=server.url)), draw)

    assert pictures == []
    assert "last" in capsys.readouterr().out
