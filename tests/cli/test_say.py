"""`hachat say`: who speaks, what is printed, and when it ends."""

from __future__ import annotations

import threading

import pytest
import trio

from hachat.cli.say import ask, make_client
from hachat.cli.speaker import Speaker, find_login
from hachat.core.messages import Reply
from hachat.core.settings import Settings
from hachat.store.console import BLOCK, Line, forget, post, take_lines
from hachat.store.keys import Keys
from hachat.store.link import Link
from tests.cli.running import Place


async def hear(link: Link, keys: Keys) -> Line:
    """Return the line that somebody types, as the master does."""
    async with link.reader(BLOCK) as reader:
        while not (typed := await take_lines(reader, keys, "0")):
            pass
    await forget(link, keys, [typed[0].entry])
    assert typed[0].line is not None
    return typed[0].line


async def reply(link: Link, keys: Keys, line: Line, *texts: str) -> None:
    """Say something about a line."""
    for number, text in enumerate(texts):
        await post(
            link, keys, Reply(f"{line.id}/r/{number}", f"console/{line.room}", text, about=line.id)
        )


async def answer(link: Link, keys: Keys, *texts: str) -> Line:
    """Be the bot for one line, and be done with it."""
    line = await hear(link, keys)
    await reply(link, keys, line, *texts)
    receipt = Reply(f"{line.id}/receipt", f"console/{line.room}", op="receipt", about=line.id)
    await post(link, keys, receipt)
    return line


@pytest.mark.parametrize("texts", [("pong", "and more"), ()], ids=["answered", "nothing to say"])
async def test_replies_are_printed_until_the_bot_is_done(
    texts: tuple[str, ...],
    link: Link,
    keys: Keys,
    capsys: pytest.CaptureFixture[str],
    nursery: trio.Nursery,
) -> None:
    """It ends with the receipt, however much or little was said, and what others are told is not printed."""
    client = make_client(link, Settings(cluster=keys.cluster), Speaker("ada", "ops"), private=False)
    await reply(link, keys, Line("other", "ops", "bob", "x"), "for bob")
    nursery.start_soon(answer, link, keys, *texts)

    with trio.fail_after(10):
        assert await ask(client, "hachat ping", 60.0) == ""

    assert capsys.readouterr().out == "".join(f"{text}\n" for text in texts)


async def test_an_answer_that_does_not_end_in_time(
    link: Link, keys: Keys, capsys: pytest.CaptureFixture[str], nursery: trio.Nursery
) -> None:
    """What was said so far is printed, and that the bot was not done is told."""

    async def begin() -> None:
        await reply(link, keys, await hear(link, keys), "well")

    client = make_client(link, Settings(cluster=keys.cluster), Speaker("ada", "ops"), private=False)
    nursery.start_soon(begin)

    assert "and goes on" in await ask(client, "hachat ping", 0.5)

    assert capsys.readouterr().out == "well\n"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--user", "ada"], ("ada", "console-ada", False)),
        (["--user", "ada", "--room", "ops", "--private"], ("ada", "ops", True)),
        (["--as", "ada", "--in", "ops"], ("ada", "ops", False)),
    ],
)
def test_a_line_is_said_as_the_options_say(
    options: list[str], line: tuple[str, str, bool], place: Place
) -> None:
    """By whom, where and to whom; answered in time it is exit code 0, and only the answer is printed."""
    heard: list[Line] = []

    async def listen(link: Link, keys: Keys) -> None:
        heard.append(await answer(link, keys, "pong"))

    bot = threading.Thread(target=place.do, args=[listen])
    bot.start()
    done = place.run("say", "hachat", "ping\udcff", *options)
    bot.join(10.0)

    assert (done.exit_code, done.output) == (0, "pong\n")
    assert [(one.user, one.room, one.private) for one in heard] == [line]
    assert heard[0].text == "hachat ping?"
    assert heard[0].by == find_login()


def test_a_line_nobody_answers_is_exit_code_4(place: Place) -> None:
    """It gives up after --wait and says what to look at."""
    done = place.run("say", "hachat ping", "--wait", "0.3")

    assert (done.exit_code, done.stdout) == (4, "")
    assert "no answer within 0.3 s; it need not be said again" in done.stderr
    assert "hachat status" in done.stderr


@pytest.mark.parametrize("wait", ["0", "-1", "soon"])
def test_a_patience_that_is_none_is_refused(wait: str, place: Place) -> None:
    """Nothing is said then."""
    assert place.run("say", "hachat ping", "--wait", wait).exit_code == 2


def test_a_name_that_is_no_text_is_refused(place: Place) -> None:
    """Nothing is said then."""
    done = place.run("say", "hachat ping", "--as", "b\udcff")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "is no user of the console" in done.stderr


def test_nobody_of_another_service_can_be_spoken_for(place: Place) -> None:
    """Nothing is said then, and it is told why."""
    done = place.run("say", "hachat ping", "--as", "irc/root")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "irc/root is not of the console" in done.stderr
