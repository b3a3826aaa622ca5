"""A prompt that stays below what is said, and a terminal that is left as it was."""

from __future__ import annotations

import io
import os
import pty
import termios
import tty
from collections.abc import Iterator

import pytest
import trio

from hachat.cli import prompt
from hachat.cli.prompt import Prompt, terminal_restored
from tests.waiting import until


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.TextIOBase]:
    """What is typed; standard input reads it."""
    source, sink = os.pipe()
    with os.fdopen(source) as typed, os.fdopen(sink, "w", buffering=1) as keys:
        monkeypatch.setattr("sys.stdin", typed)
        yield keys


async def test_lines_are_read_until_ctrl_d(
    keyboard: io.TextIOBase, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is asked for with the sign; the end of the input is None."""
    keyboard.write("hachat ping\n\n")
    keyboard.close()
    one = Prompt("> ")

    assert [await one.read() for _ in range(3)] == ["hachat ping", "", None]
    assert capsys.readouterr().out == "> > > "


async def test_what_is_said_while_nobody_types_is_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """There is nothing to be kept from being hidden."""
    Prompt("> ").show("pong")

    assert capsys.readouterr().out == "pong\n"


async def test_what_is_said_while_somebody_types_stands_above_it(
    keyboard: io.TextIOBase, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    """On a terminal the line is cleared, the text printed, and below it stand the sign and what was typed so far."""
    master, terminal = pty.openpty()
    with os.fdopen(master, "rb", buffering=0) as seen, os.fdopen(terminal, "w") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        monkeypatch.setattr(prompt, "get_line_buffer", lambda: "hachat pi")
        one = Prompt("> ")
        nursery.start_soon(one.read)
        await until(lambda: one._typing)
        assert await trio.to_thread.run_sync(seen.read, 100) == b"> "

        one.show("pong")

        screen = b""
        while not screen.endswith(b"> hachat pi"):
            screen += await trio.to_thread.run_sync(seen.read, 100)
        assert screen == b"\r\x1b[Kpong\r\n> hachat pi"
        keyboard.write("ng\n")
        await until(lambda: not one._typing)


async def test_a_prompt_can_be_abandoned(keyboard: io.TextIOBase) -> None:
    """Whoever is told to end does not wait for another line."""
    with trio.move_on_after(0.05) as waiting:
        await Prompt("> ").read()

    assert waiting.cancelled_caught
    keyboard.write("\n")  # its thread ends


@pytest.mark.parametrize("fails", [False, True])
def test_the_terminal_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch, *, fails: bool) -> None:
    """Whatever a line editor has set, and however the chat has ended, typing is seen again."""
    master, terminal = pty.openpty()
    with os.fdopen(terminal) as stdin, os.fdopen(master):
        monkeypatch.setattr("sys.stdin", stdin)
        before = termios.tcgetattr(terminal)

        def chat() -> None:
            with terminal_restored():
                tty.setraw(terminal)
                assert termios.tcgetattr(terminal) != before
                if fails:
                    raise KeyboardInterrupt

        if fails:
            with pytest.raises(KeyboardInterrupt):
                chat()
        else:
            chat()

        assert termios.tcgetattr(terminal) == before
