"""Whoever writes a first test, and gets something wrong, is told what."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from hachat.testing import handlers

CODE = '''
import msgspec

from hachat import Context, Handler, command
from hachat.testing import Driver, handlers


class Greeter(Handler):
    @command("hi")
    async def hi(self, ctx: Context) -> None:
        await ctx.reply("Hello!")

    @command("quiet")
    async def quiet(self, ctx: Context) -> None:
        """Say nothing."""

    @command("ask")
    async def ask(self, ctx: Context) -> None:
        if await ctx.confirm("Really?"):
            await ctx.reply("done")

    @command("fail")
    async def fail(self, ctx: Context) -> None:
        raise ValueError("out of greetings")


class Wrong(Handler):
    @command(r"greet (?P<name>.+)")
    async def greet(self, ctx: Context) -> None: ...


class Needy(Handler):
    class Settings(msgspec.Struct):
        token: str

    def __init__(self, settings: Settings) -> None: ...

    @command("x")
    async def x(self, ctx: Context) -> None: ...


@handlers(Greeter)
async def test_differs(bot: Driver) -> None:
    assert await bot.say("hachat hi") == ["Hi!"]


@handlers(Greeter)
async def test_silence(bot: Driver) -> None:
    (said,) = await bot.say("hachat quiet")


@handlers(Greeter)
async def test_waits(bot: Driver) -> None:
    assert await bot.say("hachat ask") == ["done"]


@handlers(Greeter)
async def test_raises(bot: Driver) -> None:
    assert await bot.say("hachat fail") == ["Hello!"]


@handlers(Wrong)
async def test_wrong(bot: Driver) -> None: ...


@handlers(Needy)
async def test_needy(bot: Driver) -> None: ...


@handlers(Greeter)
async def test_passes(bot: Driver) -> None:
    assert await bot.say("hachat hi") == ["Hello!"]
'''


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pytest prints of each of the tests above that failed, by its name."""
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / "pytest.ini").write_text("[pytest]\ntrio_mode = true\n")
    (folder / "test_it.py").write_text(CODE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run(
        [*command, str(folder)], cwd=folder, capture_output=True, text=True, check=False
    )
    _, *parts = re.split(r"^_+ (test_\w+) _+$", done.stdout, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_only_what_is_wrong_fails(failures: dict[str, str]) -> None:
    """The last one is right."""
    assert list(failures) == [
        *("test_differs", "test_silence", "test_waits", "test_raises", "test_wrong", "test_needy"),
    ]


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ("test_differs", ["'Hello!' != 'Hi!'", "says in test/#room: Hello!"]),
        ("test_silence", ["alice in test/#room: hachat quiet", "runs greeter.quiet"]),
        ("test_waits", ["says in test/#room: Really? (yes or no)"]),
        ("test_raises", ["runs greeter.fail", "ValueError: out of greetings"]),
    ],
)
def test_what_happened_is_told_with_the_line_of_the_test(
    test: str, told: list[str], failures: dict[str, str]
) -> None:
    """As of any other test, and not as a group of errors of trio."""
    assert re.search(r"^> .*await bot.say", failures[test], re.MULTILINE)
    assert "Exception Group" not in failures[test]
    assert [each for each in told if each not in failures[test]] == []


def test_a_handler_that_cannot_be_used_is_told_in_one_sentence(failures: dict[str, str]) -> None:
    """Whatever would have been said to it."""
    needy, _, _ = failures["test_needy"].partition("====")
    assert failures["test_wrong"].strip() == (
        "Wrong.greet: the pattern's group 'name' has no parameter; add name: str"
    )
    assert needy.strip() == (
        "[handler.needy]: Object missing required field `token`; give the mark one that is made: Needy(...)"
    )


def test_what_is_no_handler_is_refused_by_the_mark() -> None:
    """Without parentheses it would be given the test, and pytest would not find that."""
    for wrong in (test_what_is_no_handler_is_refused_by_the_mark, "Greeter", int):
        with pytest.raises(TypeError, match=r"write @handlers\(Greeter\)"):
            handlers(wrong)  # type: ignore[arg-type] # the mistake that is meant
