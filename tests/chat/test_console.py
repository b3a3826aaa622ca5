"""The master's side of the console, on a real server."""

from __future__ import annotations

import signal

import pytest
import trio

from hachat.bot.access import find_sender
from hachat.chat.console import ConsoleAdapter, make_message
from hachat.chat.operations import Forgetful, Operations, adapt
from hachat.core.errors import InDoubt, NotSent, StoreUnavailable, Undeliverable
from hachat.core.messages import Heard, Message, Operation, Reply, Room, User
from hachat.store.console import Line, Said, listen, new_line, post, type_line
from hachat.store.embedded import Server
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link


class Inbound:
    """An ingest that remembers messages by their event, and can be told to fail."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.together: list[int] = []
        self.duplicates = 0
        self.failures = 0

    async def __call__(self, *messages: Heard) -> None:
        """Queue `messages`."""
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")
        self.together.append(len(messages))
        for message in messages:
            if message.source in {known.source for known in self.messages}:
                self.duplicates += 1
            elif isinstance(message, Message):
                self.messages.append(message)


async def wait_empty(link: Link, keys: Keys) -> None:
    """Return once every line is forgotten."""
    with trio.fail_after(10):
        while await link.command("XLEN", keys.of("console:lines")):
            pass


def test_message_can_be_derived_from_line() -> None:
    """A line's id is its message's id and event, by which replies and a second delivery are recognised."""
    line = Line("01LINE", "ops", "ada", "ping\ud800", private=True)

    message = make_message(line, 12.5)

    assert message.id == message.event == "01LINE"
    assert message.source == "console:01LINE"
    assert message.room == Room("console", "ops", "ops", private=True)
    assert message.user == User("ada", "ada")
    assert message.text == "ping?"
    assert message.at == 12.5
    assert message.receipt


@pytest.mark.parametrize(
    ("user", "login", "by"),
    [("bob", "alice", "console/alice"), ("alice", "alice", ""), ("bob", "", "")],
)
def test_whoever_speaks_as_another_is_named(user: str, login: str, by: str) -> None:
    """The message has the user's address, and that of whoever typed it only where that is somebody else."""
    message = make_message(Line("01LINE", "ops", user, "ping", by=login), 12.5)

    assert (message.user, message.by) == (User(user, user), by)


def test_no_line_reaches_into_another_service() -> None:
    """Whatever somebody writes into the stream of lines, it comes from the console, whose users have no other's rights."""
    message = make_message(Line("01LINE", "irc/#ops", "irc/root", "ping", by="irc/root"), 12.5)

    assert find_sender(message) == "console/irc/root"
    assert message.room.address == "console/irc/#ops"
    assert message.by == ""


async def test_lines_become_messages(link: Link, keys: Keys, nursery: trio.Nursery) -> None:
    """What is typed before and after the master comes is queued in order, then forgotten."""
    inbound = Inbound()
    await type_line(link, keys, new_line("ops", "ada", "before"))
    await nursery.start(ConsoleAdapter(link, keys).serve, inbound)
    await wait_empty(link, keys)
    await type_line(link, keys, new_line("ops", "ada", "after"))
    await wait_empty(link, keys)

    assert [message.text for message in inbound.messages] == ["before", "after"]
    assert await link.command("XLEN", keys.of("console:lines")) == 0
    nursery.cancel_scope.cancel()


async def test_lines_that_wait_are_handed_over_together(
    link: Link, keys: Keys, nursery: trio.Nursery
) -> None:
    """A master that finds many lines queues them at once, in their order, and forgets them all."""
    inbound = Inbound()
    texts = [str(number) for number in range(10)]
    for text in texts:
        await type_line(link, keys, new_line("ops", "ada", text))
    await nursery.start(ConsoleAdapter(link, keys).serve, inbound)
    await wait_empty(link, keys)

    assert [message.text for message in inbound.messages] == texts
    assert inbound.together == [len(texts)]
    nursery.cancel_scope.cancel()


async def test_line_outlives_a_failed_master(link: Link, keys: Keys) -> None:
    """A line whose message could not be queued ends the connection, and the next one queues it first."""
    inbound = Inbound()
    inbound.failures = 1
    await type_line(link, keys, new_line("ops", "ada", "one"))
    await type_line(link, keys, new_line("ops", "ada", "two"))
    adapter = ConsoleAdapter(link, keys)

    with trio.fail_after(10), pytest.raises(StoreUnavailable):
        await adapter.serve(inbound)
    async with trio.open_nursery() as nursery:
        await nursery.start(adapter.serve, inbound)
        await wait_empty(link, keys)
        nursery.cancel_scope.cancel()

    assert [message.text for message in inbound.messages] == ["one", "two"]


async def test_line_typed_twice_is_one_message(
    link: Link, keys: Keys, nursery: trio.Nursery
) -> None:
    """A line typed again because its answer was lost is a duplicate, by its own id."""
    inbound = Inbound()
    line = new_line("ops", "ada", "once")
    await type_line(link, keys, line)
    await type_line(link, keys, line)
    await nursery.start(ConsoleAdapter(link, keys).serve, inbound)
    await wait_empty(link, keys)

    assert [message.text for message in inbound.messages] == ["once"]
    assert inbound.duplicates == 1
    nursery.cancel_scope.cancel()


async def test_strange_lines_are_dropped(link: Link, keys: Keys, nursery: trio.Nursery) -> None:
    """Something else in the stream is forgotten and does not hold up what was typed before and after it."""
    inbound = Inbound()
    await type_line(link, keys, new_line("ops", "ada", "before"))
    await link.command("XADD", keys.of("console:lines"), "*", "json", b"rubbish")
    await type_line(link, keys, new_line("ops", "ada", "after"))
    await nursery.start(ConsoleAdapter(link, keys).serve, inbound)
    await wait_empty(link, keys)

    assert [message.text for message in inbound.messages] == ["before", "after"]
    nursery.cancel_scope.cancel()


async def test_sending_twice_says_once(link: Link, keys: Keys) -> None:
    """A reply sent again in doubt appears once, which is what `idempotent_send` promises."""
    adapter = ConsoleAdapter(link, keys)
    reply = Reply("m/r/0", "console/ops", "pong", about="m")

    await adapter.send(reply)
    await adapter.send(reply)

    assert adapter.facts.idempotent_send
    assert await link.command("XLEN", keys.of("console:room:ops")) == 1


async def test_sending_without_an_answer_is_in_doubt(
    own_server: Server, keys: Keys, nursery: trio.Nursery
) -> None:
    """When Redis does not answer, the reply may have been posted; when it refuses, it was not."""
    link = Link(Direct(own_server.url), timeout=0.2)
    await nursery.start(link.run)
    adapter = ConsoleAdapter(link, keys)
    await post(link, keys, Reply("m/r/0", "console/ops", "known"))

    own_server.process.send_signal(signal.SIGSTOP)
    with trio.fail_after(10), pytest.raises(InDoubt):
        await adapter.send(Reply("m/r/1", "console/ops", "pong"))
    own_server.process.send_signal(signal.SIGCONT)

    with trio.fail_after(10):
        while await _set_limit(link, "1"):
            pass
    with pytest.raises(NotSent):
        await adapter.send(Reply("m/r/2", "console/ops", "pong"))
    nursery.cancel_scope.cancel()


async def _set_limit(link: Link, value: str) -> bool:
    """Set Redis's memory limit and tell whether it has to be tried again."""
    try:
        await link.command("CONFIG", "SET", "maxmemory", value)
    except StoreUnavailable:
        return True
    return False


@pytest.mark.parametrize(
    ("op", "text", "args", "line"),
    [
        ("say", "hello", {}, "hello"),
        ("act", "waves", {}, "* waves"),
        ("edit", "hi", {"target": "m/r/0"}, "(now) hi"),
        ("delete", "", {"target": "m/r/0"}, "(taken back)"),
        ("react", "", {"name": "thumbsup", "event": "e1"}, "(reacts) thumbsup"),
        ("topic", "peace", {}, "(topic) peace"),
        ("upload", "", {"name": "a.log", "data": "b25lCnR3bw=="}, "(file) a.log\none\ntwo"),
    ],
)
async def test_what_the_bot_does_is_shown_as_lines(
    link: Link, keys: Keys, *, op: Operation, text: str, args: dict[str, str], line: str
) -> None:
    """Whoever has a console open sees all of it, and hears what comes of its own lines."""
    adapter = ConsoleAdapter(link, keys)
    done = Reply("m/r/1", "console/ops", text, op, about="L1", args=args)
    await Operations(Forgetful(), Forgetful()).perform(adapter, done)

    assert adapt(adapter, done) == done
    assert [said.line for said in await hear(link, keys, "ops")] == [line]


async def test_binary_files_are_not_shown(link: Link, keys: Keys) -> None:
    """They can never be, and nothing of them is."""
    with pytest.raises(Undeliverable, match=r"a\.gz is no text"):
        await ConsoleAdapter(link, keys).upload(
            Reply("m/r/1", "console/ops", "", "upload", args={"name": "a.gz", "data": "/w=="})
        )


async def test_somebody_alone_is_spoken_to_at_their_console(link: Link, keys: Keys) -> None:
    """It is where they are unless they have chosen another room; in a room they are called by name."""
    await ConsoleAdapter(link, keys).send(Reply("m/r/1", "console/@ada", "psst"))

    assert [said.line for said in await hear(link, keys, "console-ada")] == ["psst"]
    assert ConsoleAdapter(link, keys).mention(User("ada")) == "@ada"


async def hear(link: Link, keys: Keys, room: str) -> list[Said]:
    """Return what the bot has said and done in a room."""
    with trio.fail_after(10):
        async with listen(link, keys, {room: "0"}) as entries:
            return [(await entries.receive()).said]
