"""The demo as somebody meets it: a cluster, a prompt, a murder, a hand-over."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from hachat.cli.speaker import find_login
from tests.cli.test_main import hachat
from tests.waiting import until_sync

NODES = 3
DENIED = "You may not do that: it is for admins."
CONFIG = ("--config", ".demo/node-1.toml")


class Terminal:
    """A demo in a terminal; `screen` is all that it has shown."""

    def __init__(self, process: subprocess.Popen[bytes], keyboard: int) -> None:
        self.process = process
        self.screen = ""
        self._keyboard = keyboard

    def type(self, line: str) -> None:
        """Type a line and press return."""
        os.write(self._keyboard, f"{line}\n".encode())

    def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self._keyboard, key)

    def count(self, text: str) -> int:
        """Return how often `text` stands on the screen by now."""
        with suppress(BlockingIOError):
            self.screen += os.read(self._keyboard, 65_536).decode(errors="replace")
        return self.screen.count(text)


@contextmanager
def run_demo(folder: Path) -> Iterator[Terminal]:
    """Run a demo in a terminal of its own, up to its first prompt."""
    keyboard, screen = pty.openpty()
    os.set_blocking(keyboard, False)
    command = [sys.executable, "-m", "hachat", "demo"]
    process = subprocess.Popen(
        command, cwd=folder, stdin=screen, stdout=screen, stderr=screen, start_new_session=True
    )
    os.close(screen)
    terminal = Terminal(process, keyboard)
    try:
        until_sync(lambda: terminal.count("\n> ") or terminal.count("leaves\r\n> "), 30.0)
        until_sync(lambda: len(look(folder)["nodes"]) == NODES, 30.0)
        yield terminal
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)


def look(folder: Path) -> dict[str, Any]:
    """Return what `hachat status --json` says."""
    looked: dict[str, Any] = json.loads(hachat("status", "--json", *CONFIG, cwd=folder).stdout)
    return looked


def is_alive(pid: int) -> bool:
    """Tell whether a process still runs."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_without_a_terminal_only_replies_are_printed(tmp_path: Path) -> None:
    """Lines from a pipe are answered one by one, and the end of input is the end, with 0."""
    done = hachat("demo", cwd=tmp_path, typed="hachat ping\nhachat help\nhachat help ping\n")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pong\n")
    assert "ping - Answers, so that people see that somebody does" in done.stdout
    assert "hachat ping - see whether I am there" in done.stdout
    assert "--config .demo/node-1.toml" in done.stderr


def test_a_master_that_is_killed_is_replaced(tmp_path: Path) -> None:
    """The next line is answered once, by another master, and `status` names both it and the dead node."""
    with run_demo(tmp_path) as terminal:
        terminal.type("hachat ping")
        until_sync(lambda: terminal.count("pong"))
        before = look(tmp_path)
        (master,) = [node for node in before["nodes"] if node["role"] == "master"]

        os.kill(master["pid"], signal.SIGKILL)
        terminal.type("hachat ping")
        until_sync(lambda: terminal.count("pong") == 2, 30.0)

        after = look(tmp_path)
        roles = {node["name"]: node["role"] for node in after["nodes"]}
        assert roles[master["name"]] == "dead"
        assert roles[after["master"]] == "master"
        assert after["epoch"] > before["epoch"]
        assert hachat("status", *CONFIG, cwd=tmp_path).returncode == 4

        terminal.press(b"\x04")
        assert terminal.process.wait(60) == 0
        assert terminal.count("pong") == 2


def test_speaking_as_somebody_else(tmp_path: Path) -> None:
    """Whoever sits at the prompt is an admin, and has no more rights than those in whose name they speak; it is noted."""
    typed = (
        "hachat dead\n/as bob\nhachat dead\n/in #lab\nhachat ping\n/as\nhachat help\n/frobnicate\n"
    )
    with run_demo(tmp_path) as terminal:
        done = hachat("console", *CONFIG, cwd=tmp_path, typed=typed)
        (deed, _) = json.loads(hachat("audit", "--json", *CONFIG, cwd=tmp_path).stdout)

        lines = done.stdout.splitlines()
        assert lines[:3] == ["Nothing was given up.", DENIED, "pong"], done
        assert "in console-" in done.stdout  # help is long, so it is told in private
        assert done.returncode == 2
        assert "knows no /frobnicate" in done.stderr
        assert deed["facts"]["by"] == f"console/{find_login()} as console/bob"

        terminal.type("/as bob")
        until_sync(lambda: terminal.count("as bob> "))
        terminal.type("/in #lab")
        until_sync(lambda: terminal.count("as bob in #lab> "))
        terminal.type("/help")
        until_sync(lambda: terminal.count("/in ROOM"))
        terminal.type("hachat dead")
        until_sync(lambda: terminal.count(DENIED))
        terminal.type("/sa")
        until_sync(lambda: terminal.count("did you mean /as?"))


def test_words_that_reach_nobody(tmp_path: Path) -> None:
    """Whoever does not say to whom they speak is told once how, and what is no text ends nothing."""
    with run_demo(tmp_path) as terminal:
        terminal.type("help")
        until_sync(lambda: terminal.count("What is meant for the bot begins with `hachat`"))
        terminal.press(b"hachat \xff\xfe\n")
        until_sync(lambda: terminal.count('I do not know "'))
        terminal.type("help")
        terminal.type("hachat ping")
        until_sync(lambda: terminal.count("pong"))
        assert terminal.count("What is meant for the bot") == 1


def test_stepping_down_is_confirmed(tmp_path: Path) -> None:
    """`step-down --to` returns 0 once the named node is master; others are refused with the reason."""
    with run_demo(tmp_path):
        status = look(tmp_path)
        standby = next(node["name"] for node in status["nodes"] if node["role"] == "standby")

        done = hachat("step-down", "--to", standby, *CONFIG, cwd=tmp_path)

        assert done.returncode == 0, done.stderr
        assert look(tmp_path)["master"] == standby
        again = hachat("step-down", "--to", standby, *CONFIG, cwd=tmp_path)
        assert (again.returncode, again.stderr) == (8, f"hachat: {standby} is the master already\n")
        said = hachat("say", "hachat ping", *CONFIG, cwd=tmp_path)
        assert (said.returncode, said.stdout) == (0, "pong\n")


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["heard", "ignored"])
def ctrl_c(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let children hear Ctrl-C, or ignore it as those do that a shell starts in the background."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_demo(number: signal.Signals, tmp_path: Path) -> None:
    """However the demo was started and ends, its nodes end with it."""
    with run_demo(tmp_path) as terminal:
        pids = [node["pid"] for node in look(tmp_path)["nodes"]]

        terminal.process.send_signal(number)
        terminal.process.wait(60)

        until_sync(lambda: not any(map(is_alive, pids)), 20.0)


def test_two_demos_in_one_folder_are_refused(tmp_path: Path) -> None:
    """The second one says where the first runs and touches nothing."""
    with run_demo(tmp_path) as terminal:
        done = hachat("demo", cwd=tmp_path)

        assert done.returncode == 2
        assert "already" in done.stderr
        terminal.type("hachat ping")
        until_sync(lambda: terminal.count("pong"))


def test_a_bot_of_one_s_own(tmp_path: Path) -> None:
    """With `--config` the demo has that bot's name and handlers, tells which of these do not load, and has nothing of its Redis or chat services."""
    hachat("new", "bot", "marvin", cwd=tmp_path)
    bot = tmp_path / "marvin"
    with (bot / "hachat.toml").open("a") as settings:
        settings.write('\n[chat.irc]\nhost = "nowhere.invalid"\n')
    (bot / "handlers" / "broken.py").write_text("import nothing_like_it")
    command = ("demo", "--nodes", "1", "--config", "hachat.toml")
    done = hachat(*command, cwd=bot, typed="marvin greet Ada\n!greet Bob\n")
    assert done.stdout.splitlines() == ["Hello, Ada!", "Hello, Bob!"], done
    assert "a handler was not loaded: " in done.stderr
    assert "No module named 'nothing_like_it'" in done.stderr
