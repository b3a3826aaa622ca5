"""A prompt with line editing and history, above which replies appear while somebody types."""

from __future__ import annotations

import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import click
import trio

try:
    from readline import get_line_buffer
except ImportError:  # Python was built without it: no history, and a reply hides what is half typed

    def get_line_buffer() -> str:
        """Return nothing."""
        return ""


_ERASE_LINE = "\r\x1b[K"


class Prompt:
    """The prompt of an interactive chat, which begins with `sign`; needs a terminal."""

    def __init__(self, sign: str) -> None:
        self.sign = sign
        self._typing = False

    async def read(self) -> str | None:
        """Return the next line, or None at Ctrl-D."""
        return await trio.to_thread.run_sync(self._read, abandon_on_cancel=True)

    def show(self, text: str) -> None:
        """Print `text` above the line that is being typed."""
        if not self._typing:
            click.echo(text)
            return
        click.echo(f"{_ERASE_LINE}{text}")
        click.echo(self.sign + get_line_buffer(), nl=False)

    def _read(self) -> str | None:
        self._typing = True
        try:
            return input(self.sign)
        except EOFError:
            return None
        finally:
            self._typing = False


@contextmanager
def terminal_restored() -> Iterator[None]:
    """Leave the terminal as it was, though a prompt was abandoned in the middle of a line."""
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        click.echo()
