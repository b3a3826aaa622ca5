"""The console's two streams, on a real server."""

from __future__ import annotations

import signal

import msgspec
import pytest
import trio

from hachat.core.errors import QueueFull, StoreRefused, StoreUnavailable
from hachat.core.messages import Reply
from hachat.store import console
from hachat.store.console import (
    BLOCK,
    ConsoleClient,
    Line,
    Said,
    find_end,
    forget,
    listen,
    new_line,
    post,
    take_lines,
    type_line,
)
from hachat.store.embedded import Server
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link


def reply(number: int, text: str = "pong", **fields: str) -> Reply:
    """Return a reply in the console's room `ops`."""
    return msgspec.structs.replace(Reply(f"m/route/{number}", "console/ops", text), **fields)


async def take(link: Link, keys: Keys, after: str = "0") -> list[console.Typed]:
    """Return the lines behind `after`."""
    with trio.fail_after(10):
        async with link.reader(BLOCK) as reader:
            return await take_lines(reader, keys, after)


async def test_lines_wait_until_forgotten(link: Link, keys: Keys) -> None:
    """A line is read again and again until it is forgotten, and lines come in the order they were typed."""
    first, second = new_line("ops", "ada", "one", private=True), new_line("ops", "ada", "two")
    await type_line(link, keys, first)
    await type_line(link, keys, second)

    assert [typed.line for typed in await take(link, keys)] == [first, second]
    typed = await take(link, keys)
    assert [typed[0].line, typed[1].line] == [first, second]

    await forget(link, keys, [typed[0].entry])

    assert [typed.line for typed in await take(link, keys)] == [second]
    assert await take(link, keys, typed[0].entry) == typed[1:]


async def test_line_has_time_of_redis(link: Link, keys: Keys) -> None:
    """A line's time is Redis's, for the clock of whoever typed it may be wrong."""
    await type_line(link, keys, new_line("ops", "ada", "one"))
    seconds, micros = await link.command("TIME")

    [typed] = await take(link, keys)

    assert typed.at == pytest.approx(int(seconds) + int(micros) / 1e6, abs=1.0)


async def test_reading_waits_for_a_line(link: Link, keys: Keys) -> None:
    """A reader that finds nothing hears the next line as it is typed."""
    heard: list[console.Typed] = []

    async def read() -> None:
        heard.extend(await take(link, keys))

    line = new_line("ops", "ada", "one")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await type_line(link, keys, line)

    assert [typed.line for typed in heard] == [line]


async def test_full_stream_refuses(link: Link, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many lines wait, typing fails and leaves no trace."""
    monkeypatch.setattr(console, "_WAITING", 1)
    line = new_line("ops", "ada", "one")
    await type_line(link, keys, line)

    with pytest.raises(QueueFull, match="is there a master"):
        await type_line(link, keys, new_line("ops", "ada", "two"))

    assert [typed.line for typed in await take(link, keys)] == [line]


async def test_strange_lines_are_marked(link: Link, keys: Keys) -> None:
    """Something else in the stream is reported as such, so that it can be forgotten."""
    await link.command("XADD", keys.of("console:lines"), "*", "json", b'{"text": 7}')

    [typed] = await take(link, keys)

    assert typed.line is None


async def test_posting_twice_says_once(link: Link, keys: Keys) -> None:
    """A reply posted again under the same id is not said again, and the room is kept for an hour."""
    assert await post(link, keys, reply(1))
    assert not await post(link, keys, reply(1))
    assert await post(link, keys, reply(2))

    assert await link.command("XLEN", keys.of("console:room:ops")) == 2
    for name in ("console:room:ops", "console:sent:m/route/1"):
        assert 3500 < await link.command("TTL", keys.of(name)) <= 3600


async def test_what_was_refused_may_be_posted_again(link: Link, keys: Keys) -> None:
    """A reply that Redis did not take is not held to have been said."""
    await link.command("SET", keys.of("console:room:ops"), "rubbish")
    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        await post(link, keys, reply(1))
    await link.command("DEL", keys.of("console:room:ops"))

    assert await post(link, keys, reply(1))


async def test_listening(link: Link, keys: Keys) -> None:
    """A listener hears what is said behind its entry, receipts included, each once and in order."""
    await post(link, keys, reply(1, "before"))
    after = await find_end(link, keys, "ops")
    await post(link, keys, reply(2, "pong", about="m"))

    with trio.fail_after(10):
        async with listen(link, keys, {"ops": after}) as room:
            assert await room.receive() == ("ops", Said("say", "pong", "m"))
            await post(link, keys, reply(3, "m", op="receipt", about="m"))
            assert await room.receive() == ("ops", Said("receipt", "m", "m"))


async def test_end_of_a_silent_room(link: Link, keys: Keys) -> None:
    """In a room where nothing was said, everything is still to come."""
    assert await find_end(link, keys, "ops") == "0"


async def test_strange_entries_are_passed_over(link: Link, keys: Keys) -> None:
    """Something else in a room's stream does not stop the listener."""
    await link.command("XADD", keys.of("console:room:ops"), "*", "json", b"rubbish")
    await post(link, keys, reply(1))

    with trio.fail_after(10):
        async with listen(link, keys, {"ops": "0"}) as room:
            assert await room.receive() == ("ops", Said("say", "pong"))


async def test_listening_goes_on_after_redis_was_away(
    own_server: Server, keys: Keys, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener whose Redis stops answering for a while misses nothing and repeats nothing."""
    monkeypatch.setattr(console, "BLOCK", 0.1)
    link = Link(Direct(own_server.url), timeout=0.2)
    await nursery.start(link.run)

    with trio.fail_after(20):
        async with listen(link, keys, {"ops": "0"}) as room:
            await post(link, keys, reply(1, "one"))
            assert (await room.receive()).said.text == "one"

            own_server.process.send_signal(signal.SIGSTOP)
            with trio.move_on_after(1.0):
                await room.receive()
            own_server.process.send_signal(signal.SIGCONT)
            for number, text in enumerate(["two", "three"], start=2):
                while not await _posted(link, keys, reply(number, text)):
                    pass

            assert [(await room.receive()).said.text, (await room.receive()).said.text] == [
                "two",
                "three",
            ]
    nursery.cancel_scope.cancel()


async def _posted(link: Link, keys: Keys, reply: Reply) -> bool:
    try:
        await post(link, keys, reply)
    except StoreUnavailable:
        return False
    return True


async def answer(link: Link, keys: Keys, line: Line, *texts: str) -> None:
    """Do what the bot does about `line`."""
    for number, text in enumerate(texts):
        await post(
            link, keys, Reply(f"{line.id}/r/{number}", f"console/{line.room}", text, about=line.id)
        )
    receipt = Reply(
        f"{line.id}/receipt", f"console/{line.room}", line.id, op="receipt", about=line.id
    )
    await post(link, keys, receipt)


async def test_asking(link: Link, keys: Keys) -> None:
    """Whoever asks gets the replies to their own line, until its receipt."""
    client = ConsoleClient(link, keys, "ops", "ada")
    await post(link, keys, reply(1, "long ago"))

    with trio.fail_after(10):
        async with client.ask("ping") as replies, trio.open_nursery() as nursery:

            async def be_the_bot() -> None:
                [typed] = await take(link, keys)
                assert typed.line is not None
                assert (typed.line.user, typed.line.text, typed.line.private) == (
                    "ada",
                    "ping",
                    True,
                )
                await post(link, keys, reply(2, "for another", about="another"))
                await answer(link, keys, typed.line, "pong", "and more")

            nursery.start_soon(be_the_bot)
            assert [text async for text in replies] == ["pong", "and more"]


async def test_asking_twice_in_one_room(link: Link, keys: Keys) -> None:
    """Two who ask in one room at once each get their own replies."""
    heard: dict[str, list[str]] = {}

    async def ask(text: str) -> None:
        async with ConsoleClient(link, keys, "ops", text).ask(text) as replies:
            heard[text] = [reply async for reply in replies]

    async def be_the_bot() -> None:
        typed: list[console.Typed] = []
        while len(typed) < 2:
            typed = await take(link, keys)
        for entry in typed:
            assert entry.line is not None
            await answer(link, keys, entry.line, f"{entry.line.text}!")

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "one")
            nursery.start_soon(ask, "two")
            nursery.start_soon(be_the_bot)

    assert heard == {"one": ["one!"], "two": ["two!"]}


async def test_what_is_said_elsewhere_is_told_with_its_room(link: Link, keys: Keys) -> None:
    """Whoever asks in a room gets what is told to them in private, also when it comes after the receipt."""
    client = ConsoleClient(link, keys, "ops", "ada", by="root")

    async def be_the_bot() -> None:
        [typed] = await take(link, keys)
        assert typed.line is not None
        assert typed.line.by == "root"
        await answer(link, keys, typed.line, "in private")
        secret = Reply(f"{typed.line.id}/r/9", "console/@ada", "psst", about=typed.line.id)
        await post(link, keys, secret)

    with trio.fail_after(10):
        async with client.ask("help") as replies, trio.open_nursery() as nursery:
            nursery.start_soon(be_the_bot)
            assert [text async for text in replies] == ["in private", "in console-ada: psst"]


def test_what_is_said_does_not_steer_a_terminal() -> None:
    """Whoever has a console in the room sees the escape sequences, and does not obey them."""
    assert Said("say", "\x1b]0;evil\x07two\nlines").line == "\\x1b]0;evil\\x07two\nlines"
    assert Said("act", "\x1b[2J").line == "* \\x1b[2J"
