"""The adapter on a real ngircd."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
import trio.testing

from hachat.chat.adapter import Connection, State
from hachat.chat.irc.adapter import IrcAdapter
from hachat.chat.irc.presence import Presence
from hachat.chat.irc.session import Session
from hachat.chat.irc.settings import IrcSettings
from hachat.chat.irc.stream import LineStream
from hachat.core.errors import InDoubt, NotSent, SettingsError, Undeliverable
from hachat.core.messages import Event, Message, Operation, Reply, Room, User
from tests.chat.ngircd import Ngircd, run_ngircd, visit
from tests.waiting import until


def make(server: Ngircd, **settings: Any) -> IrcAdapter:
    """Return an adapter for the bot in #ops on `server`."""
    usual = {"host": "127.0.0.1", "port": server.port, "channels": ("#ops",)}
    return IrcAdapter(IrcSettings(**{**usual, **settings}))


class Heard:
    """An ingest whose messages can be waited for; `events` are the others."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Message](1000)
        self.events: list[Event] = []

    async def __call__(self, *heard: Message | Event) -> None:
        """Queue what was heard."""
        for one in heard:
            if isinstance(one, Event):
                self.events.append(one)
            else:
                await self._send.send(one)

    async def next(self) -> Message:
        """Return the next message."""
        with trio.fail_after(10):
            return await self._receive.receive()


@asynccontextmanager
async def connected(adapter: IrcAdapter) -> AsyncIterator[Heard]:
    """Keep `adapter` connected until the block ends."""
    heard = Heard()
    async with trio.open_nursery() as nursery:
        with trio.fail_after(10):
            await nursery.start(adapter.serve, heard)
        yield heard
        nursery.cancel_scope.cancel()


def say(room: str, text: str, number: int = 0) -> Reply:
    """Return a reply in `room`."""
    return Reply(f"m/r/{number}", f"irc/{room}", text)


async def insist(adapter: IrcAdapter, reply: Reply) -> list[float]:
    """Send `reply` until it is sent, and return the waits that were asked for."""
    waits: list[float] = []
    with trio.fail_after(10):
        while True:
            try:
                await adapter.send(reply)
            except NotSent as error:
                waits.append(error.after)
                await trio.sleep(error.after)
            else:
                return waits


async def test_hears_channel_and_private(ngircd: Ngircd) -> None:
    """What is said in a channel and to the bot alone is heard, by whom and where."""
    async with connected(make(ngircd)) as heard, visit(ngircd, "ada") as ada:
        await ada.join("#ops")
        await ada.say("#ops", "hachat: ping")
        await ada.say("hachat", "\x02psst\x02")

        first, second = await heard.next(), await heard.next()

    assert (first.room.address, first.text) == ("irc/#ops", "hachat: ping")
    assert (first.user.id, first.user.name) == ("ada!~ada@127.0.0.1", "ada")
    assert not first.room.private
    assert (second.room.address, second.room.private, second.text) == ("irc/ada", True, "psst")


async def test_sends_lines_in_order(ngircd: Ngircd) -> None:
    """A reply of several lines arrives in order, in a channel and in private."""
    adapter = make(ngircd)
    async with connected(adapter), visit(ngircd, "ada") as ada:
        await ada.join("#ops")
        await adapter.send(say("#ops", "one\ntwo\n\nthree"))
        await adapter.send(say("ada", "only you"))

        assert [await ada.hear() for _ in range(4)] == ["one", "two", "three", "only you"]


async def test_long_text_arrives_whole(ngircd: Ngircd) -> None:
    """Text longer than a line is cut so that nothing of it is lost on the way."""
    adapter = make(ngircd)
    text = " ".join(f"wört{number}" for number in range(150))
    async with connected(adapter), visit(ngircd, "ada") as ada:
        await ada.join("#ops")
        await adapter.send(say("#ops", text))
        await adapter.send(say("#ops", "end"))

        heard: list[str] = []
        while heard[-1:] != ["end"]:
            heard.append(await ada.hear())

    assert " ".join(heard[:-1]) == text
    assert len(heard) == 5


async def test_longer_than_a_burst(ngircd: Ngircd) -> None:
    """Of a long reply a burst is sent, and the rest when it is sent again, nothing twice."""
    adapter = make(ngircd, burst=2, interval=0.01)
    async with connected(adapter), visit(ngircd, "ada") as ada:
        await ada.join("#ops")
        deferrals = await insist(adapter, say("#ops", "\n".join(map(str, range(5)))))
        await insist(adapter, say("ada", "end", 1))

        assert [await ada.hear() for _ in range(6)] == ["0", "1", "2", "3", "4", "end"]
    assert len(deferrals) == 2
    assert all(0 < after <= 0.02 for after in deferrals)


async def test_flood_control_sends_none_before_its_time(ngircd: Ngircd) -> None:
    """A reply that comes too soon after others is not begun, and the time it names is enough."""
    adapter = make(ngircd, burst=2, interval=10.0)
    async with connected(adapter), visit(ngircd, "ada") as ada:
        await ada.join("#ops")
        await adapter.send(say("#ops", "one"))
        with pytest.raises(NotSent) as caught:
            await adapter.send(say("#ops", "two\nthree", 1))
        await adapter.send(say("#ops", "four", 2))

        assert [await ada.hear(), await ada.hear()] == ["one", "four"]
    assert 9.0 < caught.value.after <= 10.0


async def test_long_reply_across_two_connections_is_in_doubt(ngircd: Ngircd) -> None:
    """When the connection ends between a reply's lines nobody knows which arrived; then it starts anew."""
    adapter = make(ngircd, burst=1, interval=0.001)
    reply = say("ada", "one\ntwo")
    async with connected(adapter):
        with pytest.raises(NotSent):
            await adapter.send(reply)
    with pytest.raises(NotSent, match="not connected"):
        await adapter.send(reply)
    async with connected(adapter):
        with pytest.raises(InDoubt):
            await adapter.send(reply)
        with pytest.raises(NotSent, match="1 lines wait"):
            await adapter.send(reply)


async def test_broken_while_sending_is_in_doubt() -> None:
    """When the connection turns out to be broken by the very send, some of it may have arrived."""
    adapter = IrcAdapter(IrcSettings(host="127.0.0.1"))
    ours, theirs = trio.testing.memory_stream_pair()
    stream = LineStream(ours)
    adapter._presence = Presence(adapter._settings, Session(adapter._settings, "hachat"), stream)
    adapter._presence._registered.set()
    await theirs.aclose()

    with pytest.raises(InDoubt):
        await adapter.send(say("#ops", "one"))
    with pytest.raises(NotSent):
        await adapter.send(say("#ops", "one"))


def test_bot_name_must_be_a_nick() -> None:
    """A bot whose name IRC cannot take is told to set a nick."""
    with pytest.raises(SettingsError, match=r"set chat\.irc\.nick"):
        IrcAdapter(IrcSettings(host="127.0.0.1"), bot_name="Ha Chat")


async def test_receipts_are_not_said() -> None:
    """IRC has no receipts: such a reply is done without a word."""
    await IrcAdapter(IrcSettings(host="127.0.0.1")).send(
        Reply("m/receipt", "irc/#ops", "m", op="receipt")
    )


async def test_nick_in_use(ngircd: Ngircd) -> None:
    """While another has our nick we come under an alternate one, and take ours as soon as it is free."""
    async with visit(ngircd, "ada") as ada:
        await ada.join("#ops")
        async with visit(ngircd, "hachat") as ghost, connected(make(ngircd)) as heard:
            await ghost.join("#ops")
            assert "hachat_" in await ada.expect("JOIN")
            await ada.say("hachat_", "is it you?")
            assert (await heard.next()).room.private

            await ghost.send("QUIT :bye")
            await ada.expect(":hachat_!~hachat@127.0.0.1 NICK :hachat")


async def test_rejoins_after_a_kick(ngircd: Ngircd) -> None:
    """Kicked out, the bot comes back after a while."""
    async with visit(ngircd, "ada") as ada:
        await ada.join("#ops")
        async with connected(make(ngircd, restore=0.05)):
            await ada.expect(":hachat!~hachat@127.0.0.1 JOIN")
            await ada.send("KICK #ops hachat :out")
            await ada.expect("KICK #ops hachat")
            await ada.expect(":hachat!~hachat@127.0.0.1 JOIN")


async def test_leaves_politely(ngircd: Ngircd) -> None:
    """A cancelled adapter says goodbye, and others see that it meant to go."""
    async with visit(ngircd, "ada") as ada:
        await ada.join("#ops")
        async with connected(make(ngircd)):
            await ada.expect(":hachat!~hachat@127.0.0.1 JOIN")
        assert "leaving" in await ada.expect(":hachat!~hachat@127.0.0.1 QUIT")


async def test_comes_back_after_the_server_died(ngircd: Ngircd) -> None:
    """When the server dies the bot says so, refuses to send, and is back in its channels once the server is."""
    adapter, heard = make(ngircd), Heard()
    send, states = trio.open_memory_channel[State](100)
    connection = Connection(adapter, on_change=lambda: send.send_nowait(connection.state))

    async def reach(state: State) -> None:
        with trio.fail_after(20):
            while await states.receive() != state:
                pass

    with structlog.testing.capture_logs():
        async with trio.open_nursery() as nursery:
            await nursery.start(connection.run, heard)
            await reach("connected")
            ngircd.kill()
            await reach("waiting")
            with pytest.raises(NotSent):
                await adapter.send(say("#ops", "lost"))
            ngircd.start()
            await reach("connected")
            async with visit(ngircd, "ada") as ada:
                await ada.join("#ops")
                await ada.say("#ops", "back?")
                assert (await heard.next()).text == "back?"
                await adapter.send(say("#ops", "yes"))
                assert await ada.hear() == "yes"
            nursery.cancel_scope.cancel()


async def test_tls(ngircd: Ngircd) -> None:
    """Over TLS the bot trusts the certificate it was given."""
    adapter = make(
        ngircd, host="localhost", port=ngircd.tls_port, tls=True, tls_ca=str(ngircd.certificate)
    )
    async with visit(ngircd, "ada") as ada:
        await ada.join("#ops")
        async with connected(adapter) as heard:
            await ada.expect(":hachat!~hachat@127.0.0.1 JOIN")
            await ada.say("#ops", "ping")
            assert (await heard.next()).text == "ping"
            await adapter.send(say("#ops", "pong"))
            assert await ada.hear() == "pong"
        assert "leaving" in await ada.expect("QUIT")


async def test_tls_refuses_strangers(ngircd: Ngircd) -> None:
    """A certificate nobody vouches for ends the connection, unless the settings say not to look."""
    strict = make(ngircd, host="localhost", port=ngircd.tls_port, tls=True)
    with trio.fail_after(10), pytest.raises(ConnectionError, match="self-signed") as caught:
        await strict.serve(Heard())
    assert isinstance(caught.value.__cause__, trio.BrokenResourceError)
    assert isinstance(caught.value.__cause__.__cause__, ssl.SSLCertVerificationError)

    lax = make(ngircd, host="localhost", port=ngircd.tls_port, tls=True, tls_verify=False)
    async with connected(lax):
        pass


async def test_roster_just_after_connecting(ngircd: Ngircd) -> None:
    """Whoever asks before the server has told that the bot is in its channel gets the same answer, not a refusal."""
    async with visit(ngircd, "ada") as ada:
        await ada.join("#ops")
        for _ in range(5):
            adapter = make(ngircd)
            async with connected(adapter):
                assert [user.name for user in await adapter.roster("#ops")] == ["ada"]


async def test_wrong_password(tmp_path: Path) -> None:
    """A server that refuses us is told with its own words."""
    with run_ngircd(tmp_path, password="secret") as server:
        async with connected(make(server, password="secret")):
            pass
        with trio.fail_after(10), pytest.raises(ExceptionGroup) as caught:
            await make(server, password="wrong").serve(Heard())
    assert "password" in str(caught.value.exceptions[0]).lower()


async def test_roster(ngircd: Ngircd) -> None:
    """Who is in a channel or behind a private room is told, as those whose messages are heard; the bot is not."""
    adapter = make(ngircd)
    async with (
        connected(adapter) as heard,
        visit(ngircd, "ada") as ada,
        visit(ngircd, "bob") as bob,
    ):
        await ada.join("#ops")
        await bob.join("#ops")
        await ada.say("#ops", "hello")
        message = await heard.next()

        roster = await adapter.roster("#ops")
        assert sorted(user.name for user in roster) == ["ada", "bob"]
        assert message.user in roster
        assert await adapter.roster("ada") == [message.user]
        assert await adapter.roster("nobody") == []
        with pytest.raises(Undeliverable, match="not in it"):
            await adapter.roster("#elsewhere")
        with pytest.raises(Undeliverable, match="not a channel"):
            await adapter.roster("*")

    with pytest.raises(NotSent, match="not connected") as caught:
        await adapter.roster("#ops")
    assert caught.value.scope == "adapter"


async def test_a_reply_waits_for_a_connection_that_is_being_made(ngircd: Ngircd) -> None:
    """As a term begins replies are there before the connection is; they go out as soon as it stands."""
    adapter = make(ngircd)
    async with visit(ngircd, "ada") as ada:
        await ada.send("JOIN #ops")
        await ada.expect(" JOIN ")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(adapter.serve, Heard())
            await trio.testing.wait_all_tasks_blocked()  # it connects
            await adapter.send(say("#ops", "at once"))
            await ada.expect("at once")
            nursery.cancel_scope.cancel()


async def test_lookup(ngircd: Ngircd) -> None:
    """An id leads to whoever has it now; the same nick from elsewhere is somebody else."""
    adapter = make(ngircd)
    async with connected(adapter), visit(ngircd, "ada") as ada:
        await ada.send("NICK Ada")
        await ada.expect(" NICK ")

        assert await adapter.lookup("ada!~ada@127.0.0.1") == User("ada!~ada@127.0.0.1", "Ada")
        assert await adapter.lookup("ada!~ada@elsewhere") is None
        assert await adapter.lookup("bob!~bob@127.0.0.1") is None
        assert await adapter.lookup("some account") is None


async def test_questions_are_under_flood_control(ngircd: Ngircd) -> None:
    """A question is a line like others, and waits when there were too many."""
    adapter = make(ngircd, burst=1, interval=10.0)
    async with connected(adapter):
        await adapter.roster("ada")
        with pytest.raises(NotSent, match="flood control") as caught:
            await adapter.roster("ada")
    assert 9.0 < caught.value.after <= 10.0


@asynccontextmanager
async def warmed(adapter: IrcAdapter) -> AsyncIterator[None]:
    """Keep `adapter` connected ahead until the block ends, or it is taken."""
    async with trio.open_nursery() as nursery:
        with trio.fail_after(10):
            await nursery.start(adapter.warm)
        yield
        nursery.cancel_scope.cancel()


async def test_a_connection_made_ahead_goes_unseen_until_it_is_taken(ngircd: Ngircd) -> None:
    """It waits outside of the channels under a spare nick; taken, it is the bot, with nothing heard twice."""
    old, new = make(ngircd), make(ngircd)
    async with visit(ngircd, "anna") as anna:
        await anna.join("#ops")
        async with trio.open_nursery() as leading:
            await leading.start(old.serve, Heard())
            await anna.expect("JOIN :#ops")
            async with warmed(new):
                await anna.send("WHO #ops")
                names = await anna.expect(" 352 ")
                assert "hachat-1" not in names + await anna.expect(" 315 ")
                await anna.say("hachat-1", "are you there?")
                with pytest.raises(NotSent):
                    await new.send(say("#ops", "too early"))

                leading.cancel_scope.cancel()
                with trio.fail_after(5):
                    await anna.expect(":hachat!")
                async with connected(new) as heard:
                    assert (await anna.expect("JOIN")).startswith(":hachat!")
                    await anna.say("#ops", "hello")
                    assert (await heard.next()).text == "hello"
                    await new.send(say("#ops", "here I am"))
                    assert await anna.hear() == "here I am"
        assert await anna.expect("QUIT")


async def test_a_connection_made_ahead_that_is_not_taken_leaves(ngircd: Ngircd) -> None:
    """Its nick is free again, and the adapter begins from nothing when it is its turn."""
    adapter = make(ngircd)
    async with warmed(adapter):
        pass
    async with visit(ngircd, "hachat-1"), connected(adapter):
        await adapter.send(say("#ops", "cold"))


async def test_a_connection_made_ahead_that_has_ended_is_not_taken(tmp_path: Path) -> None:
    """Whoever kept it hears of the end; the next one is made anew."""
    with run_ngircd(tmp_path) as server:
        adapter = make(server)

        async def lose() -> None:
            async with warmed(adapter):
                server.kill()
                await trio.sleep_forever()

        with pytest.raises(ExceptionGroup):
            await lose()
        server.start()
        async with connected(adapter):
            await adapter.send(say("#ops", "anew"))


async def test_nobody_gets_ready_without_a_server(tmp_path: Path) -> None:
    """A network that cannot be reached is told at once."""
    with run_ngircd(tmp_path) as server:
        adapter = make(server)
    with pytest.raises(ExceptionGroup) as caught:
        async with warmed(adapter):
            pass
    assert caught.group_contains(OSError)


async def test_two_may_wait_at_once(ngircd: Ngircd) -> None:
    """Each takes a spare nick of its own."""
    one, other = make(ngircd), make(ngircd)
    async with warmed(one), warmed(other), visit(ngircd, "anna") as anna:
        await anna.send("WHOIS hachat-1")
        await anna.expect(" 311 ")
        await anna.send("WHOIS hachat-2")
        await anna.expect(" 311 ")


# What is done beside speaking


def do(op: Operation, channel: str, text: str = "", **args: str) -> Reply:
    """Return what is to be done in a channel."""
    return Reply("m/r/1", f"irc/{channel}", text, op, args=args, v=3)


async def test_acts_as_people_do(ngircd: Ngircd) -> None:
    """`/me` comes as that, each of its lines, however long."""
    adapter = make(ngircd)
    async with connected(adapter), visit(ngircd, "ada") as ada:
        await ada.join("#ops")
        await adapter.act(do("act", "#ops", "waves\n" + "x" * 500))

        assert await ada.hear() == "\x01ACTION waves\x01"
        pieces = [(await ada.hear()).removeprefix("\x01ACTION ") for _ in range(2)]
        assert "".join(piece.removesuffix("\x01") for piece in pieces) == "x" * 500


async def test_sets_a_topic(ngircd: Ngircd) -> None:
    """Of several lines the first, because IRC has room for one; nothing takes the topic away."""
    adapter = make(ngircd, channels=("#lab",))
    async with connected(adapter), visit(ngircd, "ada") as ada:
        await ada.join("#lab")
        await adapter.topic(do("topic", "#lab", "all is well\nor not"))
        assert (await ada.expect(" TOPIC ")).endswith("TOPIC #lab :all is well")
        await adapter.topic(do("topic", "#lab"))
        assert (await ada.expect(" TOPIC ")).endswith("TOPIC #lab :")


async def test_joins_and_parts(ngircd: Ngircd) -> None:
    """It comes into a channel that has a key and leaves one of the settings; its name is told as the server compares it."""
    adapter = make(ngircd, restore=0.05)
    async with connected(adapter), visit(ngircd, "ada") as ada:
        for channel in ("#ops", "#secret"):
            await ada.join(channel)
        await ada.send("MODE #secret +k word")
        assert await adapter.join(do("join", "#Secret", key="word")) == "#secret"
        assert "hachat" in await ada.expect(" JOIN ")
        assert await adapter.part(do("part", "#ops")) == "#ops"
        assert " PART #ops" in await ada.expect("hachat")
        # Whatever is asked for again, this is not.
        assert adapter._presence is not None
        await until(lambda: not adapter._presence.session.is_in("#ops"))  # type: ignore[union-attr]
        assert adapter._presence.session.restore() == []


async def test_remembered_channels_are_joined_at_every_connection(ngircd: Ngircd) -> None:
    """Those that were joined beside those of the settings, and none that were left."""
    adapter = make(ngircd, channels=("#ops", "#left", "#keyed key"))
    adapter.expect({"#lab": "", "#left": None, "#keyed": ""})
    async with connected(adapter):
        assert adapter._presence is not None
        session = adapter._presence.session
        await until(lambda: all(map(session.is_in, ("#ops", "#lab", "#keyed"))))
        assert not session.is_in("#left")


async def test_a_connection_made_ahead_joins_them_too(ngircd: Ngircd) -> None:
    """What was joined while it waited, its node hears of when it becomes master."""
    adapter = make(ngircd)
    async with trio.open_nursery() as nursery:
        await nursery.start(adapter.warm)
        adapter.expect({"#lab": "", "#ops": None})
        async with connected(adapter):
            assert adapter._presence is not None
            session = adapter._presence.session
            await until(lambda: session.is_in("#lab"))
            assert not session.is_in("#ops")
        nursery.cancel_scope.cancel()


async def test_speaks_to_one_alone(ngircd: Ngircd) -> None:
    """By the id that was heard; where the nick has become somebody else's, nothing is said."""
    adapter = make(ngircd)
    async with connected(adapter) as heard, visit(ngircd, "ada") as ada:
        await ada.join("#ops")
        await ada.say("#ops", "here I am")
        user = (await heard.next()).user
        await adapter.send(say(f"@{user.id}", "psst"))
        assert (await ada.expect(" PRIVMSG ")).endswith(" PRIVMSG ada :psst")
        with pytest.raises(Undeliverable, match="nobody is known to be there"):
            await adapter.send(say("@ada!~eve@elsewhere", "psst"))
        with pytest.raises(Undeliverable, match="nobody is known to be there"):
            await adapter.send(say("@account", "psst"))
    assert adapter.mention(user) == "ada:"
    assert adapter.mention(User("eve!~eve@elsewhere")) == "eve:"


@pytest.mark.parametrize("op", ["topic", "join", "part"])
async def test_only_channels_have_topics_and_are_joined(ngircd: Ngircd, op: str) -> None:
    """A nick is none, nor are two channels."""
    adapter = make(ngircd)
    async with connected(adapter):
        for channel in ("ada", "#a,#b"):
            with pytest.raises(Undeliverable, match="not a channel"):
                await getattr(adapter, op)(Reply("m/r/1", f"irc/{channel}", "x"))


async def test_what_is_done_waits_for_flood_control(ngircd: Ngircd) -> None:
    """A topic is a line like others."""
    adapter = make(ngircd, burst=1, interval=60)
    async with connected(adapter):
        await adapter.topic(do("topic", "#ops", "one"))
        with pytest.raises(NotSent, match="flood control"):
            await adapter.topic(do("topic", "#ops", "two"))


async def test_what_people_do_is_told(ngircd: Ngircd) -> None:
    """They come, set a topic, take another nick, are sent away, leave a channel and the network; what the bot does is not told."""
    adapter = make(ngircd)
    ops = Room("irc", "#ops", "#ops")
    async with visit(ngircd, "eve") as eve:
        await eve.join("#ops")
        async with connected(adapter) as heard:
            async with visit(ngircd, "ada") as ada:
                await eve.expect("JOIN")
                await ada.join("#ops")
                await eve.send("MODE #ops +o hachat")
                await eve.send("TOPIC #ops :peace")
                await ada.send("NICK lovelace")
                await ada.send("PART #ops :tea")
                await ada.join("#ops")
                await eve.send("KICK #ops lovelace :enough")
                await ada.join("#ops")
                await ada.send("QUIT :bye")
                await until(lambda: heard.events[-1:] and heard.events[-1].name == "quit")
            await adapter.topic(do("topic", "#ops", "mine"))
            await eve.say("#ops", "end")
            await heard.next()

    assert [(event.name, event.room, event.user and event.user.name) for event in heard.events] == [
        ("joined", ops, "ada"),
        ("topic", ops, "eve"),
        ("nick", None, "ada"),
        ("parted", ops, "lovelace"),
        ("joined", ops, "lovelace"),
        ("kicked", ops, "eve"),
        ("joined", ops, "lovelace"),
        ("quit", None, "lovelace"),
    ]
    data = [event.data for event in heard.events]
    assert data[1:4] == [
        {"topic": "peace"},
        {"nick": "lovelace", "id": "lovelace!~ada@127.0.0.1"},
        {"reason": "tea"},
    ]
    assert data[5] == {"nick": "lovelace", "reason": "enough"}
    assert {event.adapter for event in heard.events} == {"irc"}
    assert len({event.id for event in heard.events}) == len(data)


async def test_what_the_server_refuses_is_told(ngircd: Ngircd) -> None:
    """Whoever asked hears why; a channel that could not be joined is not asked for again and again."""
    adapter = make(ngircd, restore=0.05)
    async with connected(adapter), visit(ngircd, "ada") as ada:
        await ada.join("#secret")
        await ada.send("MODE #secret +k word")
        await ada.expect(" MODE ")
        with pytest.raises(Undeliverable, match=r"the server refuses it: .*key"):
            await adapter.join(do("join", "#secret", key="wrong"))
        with pytest.raises(Undeliverable, match="the server refuses it"):
            await adapter.topic(do("topic", "#secret", "mine"))
        await adapter.join(do("join", "#secret", key="word"))
        assert adapter._presence is not None
        assert adapter._presence.session.is_in("#secret")
        assert not adapter._presence._refusals
