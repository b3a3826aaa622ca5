"""One stay on a server whose end is in our hands, in virtual time."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from hachat.chat.adapter import Ingest
from hachat.chat.irc.presence import Presence
from hachat.chat.irc.session import Session
from hachat.chat.irc.settings import IrcSettings
from hachat.chat.irc.stream import LineStream
from hachat.core.messages import Heard, Message

SETTINGS = IrcSettings(host="irc.test.invalid", channels=("#ops",), silence=60.0, restore=30.0)


class Server:
    """The server's end of a connection; it lets the bot in and notes what the bot writes, and when."""

    def __init__(self) -> None:
        ours, self._stream = trio.testing.memory_stream_pair()
        self.presence = Presence(SETTINGS, Session(SETTINGS, "hachat"), LineStream(ours))
        self.lines: list[tuple[float, str]] = []
        self._began = trio.current_time()

    async def run(self, nursery: trio.Nursery, ingest: Ingest) -> None:
        """Let the bot in."""
        nursery.start_soon(self._listen)
        await self.send(":irc 001 hachat :welcome")

        async def be_present(*, task_status: trio.TaskStatus[None]) -> None:
            await self.presence.run(ingest, task_status=task_status)

        await nursery.start(be_present)

    async def send(self, *lines: str) -> None:
        """Send `lines` to the bot."""
        await self._stream.send_all("".join(f"{line}\r\n" for line in lines).encode())

    async def close(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    def written(self, word: str) -> list[tuple[float, str]]:
        """Return the lines that begin with `word`, each with the seconds since the beginning."""
        return [line for line in self.lines if line[1].startswith(word)]

    async def _listen(self) -> None:
        async for data in self._stream:
            now = trio.current_time() - self._began
            self.lines += [(now, line) for line in data.decode().split("\r\n") if line]
            if "QUIT" in data.decode():
                await self.close()
                return


async def swallow(*messages: Heard) -> None:
    """Take any messages."""


def chat(number: int) -> str:
    """Return a line in which Ada says `number`."""
    return f":ada!~a@host PRIVMSG #ops :{number}"


async def test_joins_once_let_in(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """The bot is usable once it is let in and has asked for its channels."""
    server = Server()
    before = server.presence.usable
    await server.run(nursery, swallow)
    await trio.testing.wait_all_tasks_blocked()

    assert (before, server.presence.usable) == (False, True)
    assert [line for _, line in server.lines] == [
        "CAP LS 302",
        "NICK hachat",
        "USER hachat 0 * hachat",
        "JOIN #ops",
    ]
    nursery.cancel_scope.cancel()


async def test_lost_channel_is_asked_for_again(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """A channel the bot is not in is asked for at each turn, and no more once it is in."""
    server = Server()
    await server.run(nursery, swallow)
    await trio.sleep(65)
    await server.send(":hachat!~h@host JOIN #ops")
    await trio.sleep(60)

    assert server.written("JOIN") == [(0, "JOIN #ops"), (30, "JOIN #ops"), (60, "JOIN #ops")]
    nursery.cancel_scope.cancel()


async def test_silent_server_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    """A server that is silent is asked after a minute and given up after another."""
    server = Server()
    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            await server.run(nursery, swallow)

    assert caught.group_contains(TimeoutError, match="does not answer", depth=2)
    assert server.written("PING") == [(60, "PING hachat")]
    assert trio.current_time() - server._began == pytest.approx(120)


async def test_answering_server_is_kept(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """A server that answers is asked again only after another minute of silence."""
    server = Server()
    await server.run(nursery, swallow)
    await trio.sleep(70)
    await server.send(":irc PONG irc :hachat")
    await trio.sleep(100)

    assert [at for at, _ in server.written("PING")] == [60, 130]
    assert server.presence.usable
    nursery.cancel_scope.cancel()


async def test_ping_is_answered_while_nothing_can_be_queued(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """While the reader waits for the queue it answers the PING it cannot see, and loses nothing."""
    heard: list[str] = []

    async def ingest(*messages: Heard) -> None:
        await trio.sleep_until(server._began + 100)
        heard.extend(one.text for one in messages if isinstance(one, Message))

    server = Server()
    await server.run(nursery, ingest)
    await server.send(*map(chat, range(150)), "PING :are you there")
    await trio.sleep(101)

    assert [at for at, _ in server.written("PONG")] == [30, 60, 90, 100]
    assert server.written("PONG")[-1][1] == "PONG :are you there"
    assert heard == [str(number) for number in range(150)]
    nursery.cancel_scope.cancel()


async def test_what_was_read_is_queued_before_leaving(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A message that was read before the cancel is queued, for the server will not say it again."""
    queued: list[str] = []

    async def ingest(*messages: Heard) -> None:
        await trio.sleep(0.1)
        queued.extend(one.text for one in messages if isinstance(one, Message))

    server = Server()
    async with trio.open_nursery() as nursery:
        await server.run(nursery, ingest)
        await server.send(chat(1), chat(2))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert queued == ["1", "2"]


async def test_leaving_is_bounded(autojump_clock: trio.testing.MockClock) -> None:
    """A server that does not answer the QUIT does not keep us."""
    ours, theirs = trio.testing.memory_stream_pair()
    presence = Presence(SETTINGS, Session(SETTINGS, "hachat"), LineStream(ours))
    with trio.move_on_after(1.0):
        await presence.run(swallow, task_status=trio.TASK_STATUS_IGNORED)

    assert b"QUIT leaving" in await theirs.receive_some()
    assert trio.current_time() == pytest.approx(1.4, abs=0.01)


async def test_server_that_closes_ends_the_stay(autojump_clock: trio.testing.MockClock) -> None:
    """A server's ERROR, or its hanging up, ends the stay with the reason."""
    server = Server()

    async def be_banned() -> None:
        async with trio.open_nursery() as nursery:
            await server.run(nursery, swallow)
            await server.send("ERROR :Closing link: banned")

    with pytest.raises(ExceptionGroup) as caught:
        await be_banned()

    assert caught.group_contains(ConnectionError, match="banned", depth=2)


async def test_questions_are_asked_one_by_one(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """Two that ask at once each get their own answer, and one that gave up leaves its answer to nobody."""
    server = Server()
    found: dict[str, list[str]] = {}

    async def ask(mask: str) -> None:
        found[mask] = [user.name for user in await server.presence.ask_who(mask)]

    async def tell(mask: str, nick: str) -> None:
        await server.send(
            f":irc 352 hachat * ~u host irc {nick} H :0 x", f":irc 315 hachat {mask} :End"
        )

    await server.run(nursery, swallow)
    with trio.move_on_after(1):
        await server.presence.ask_who("#late")
    for mask in ("#one", "#two"):
        nursery.start_soon(ask, mask)
        await trio.testing.wait_all_tasks_blocked()
    assert [line for _, line in server.written("WHO")] == ["WHO #late", "WHO #one"]
    await tell("#late", "zoe")
    await tell("#ONE", "ada")
    await trio.testing.wait_all_tasks_blocked()
    await tell("#two", "bob")
    await trio.testing.wait_all_tasks_blocked()

    assert found == {"#one": ["ada"], "#two": ["bob"]}
    nursery.cancel_scope.cancel()


async def test_a_question_ends_with_the_connection(autojump_clock: trio.testing.MockClock) -> None:
    """Whoever waits for an answer when the connection ends is told at once."""
    server = Server()
    began = trio.current_time()

    async def ask_in_vain() -> None:
        async with trio.open_nursery() as nursery:
            await server.run(nursery, swallow)

            async def ask() -> None:
                with pytest.raises(ConnectionError, match="before the answer"):
                    await server.presence.ask_who("#ops")

            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            await server.close()

    with pytest.raises(ExceptionGroup):
        await ask_in_vain()
    assert trio.current_time() - began < 1
