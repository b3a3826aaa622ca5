"""What is done beside speaking, and what becomes of it where a service cannot, in virtual time."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import structlog
import trio
import trio.testing

from hachat.chat.markup import IRC
from hachat.chat.operations import NOTING, Forgetful, Operations, adapt, explain, read_file
from hachat.core.errors import InDoubt, StoreUnavailable, Undeliverable
from hachat.core.messages import Operation, Reply, User
from tests.chat.stage import Service, draining, refuse
from tests.waiting import until

EVERY: tuple[Operation, ...] = ("act", "react", "edit", "delete", "topic", "join", "part", "upload")


class Able(Service):
    """A service that can do everything, and names what it was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[Reply] = []

    async def send(self, reply: Reply) -> str:
        """Take a reply, and name it."""
        await super().send(reply)
        self.done.append(reply)
        return f"ts-{reply.text}"

    async def act(self, reply: Reply) -> str:
        """Take it, as all that follow do."""
        return await self.send(reply)

    async def react(self, reply: Reply) -> None:
        """React."""
        await self.send(reply)

    edit = delete = topic = react

    async def join(self, reply: Reply) -> str:
        """Come into a room, or leave it."""
        await self.send(reply)
        return reply.channel.upper()

    part = join

    async def upload(self, reply: Reply) -> str:
        """Show a file."""
        return await self.send(reply)

    def expect(self, rooms: Mapping[str, str | None]) -> None:
        """Expect nothing."""

    def mention(self, user: User) -> str:
        """Call somebody as Slack does."""
        return f"<@{user.id}>"


class Memory(Forgetful):
    """Remembers what it is to remember, or fails."""

    def __init__(self, *, seconds: float = 0.0, failures: int = 0) -> None:
        self.names: dict[str, str] = {}
        self.rooms: dict[str, str | None] = {}
        self._seconds = seconds
        self._failures = failures

    async def note(self, reply: str, event: str) -> None:
        """Remember a name."""
        await trio.sleep(self._seconds)
        self.names[reply] = event

    async def find(self, reply: str) -> str:
        """Return a name."""
        self._fail()
        return self.names.get(reply, "")

    async def join(self, adapter: str, room: str, key: str = "") -> None:
        """Remember a room."""
        self._fail()
        self.rooms[f"{adapter}/{room}"] = key

    async def part(self, adapter: str, room: str) -> None:
        """Remember that it was left."""
        self.rooms[f"{adapter}/{room}"] = None

    def _fail(self) -> None:
        if self._failures:
            self._failures -= 1
            raise StoreUnavailable("away")


def ask(op: Operation, text: str = "", number: int = 1, origin: str = "t/a", **args: str) -> Reply:
    """Return what is to be done in a room, at the wish of somebody there."""
    return Reply(f"m/r/{number}", "t/a", text, op, origin=origin, args=args, v=3)


@pytest.mark.parametrize("op", EVERY)
async def test_what_a_service_can_it_does(
    op: Operation, autojump_clock: trio.testing.MockClock
) -> None:
    """It comes to the method of that name as it was asked for."""
    service = Able()
    wish = ask(op, "words", event="e1", name="x")
    async with draining(service) as stage:
        stage.queue.put_reply(wish)
        await until(lambda: stage.queue.reports)

    assert service.done == [wish]
    assert stage.queue.reports == [("m/r/1", "sent")]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (ask("act", "waves"), ["* waves"]),
        (ask("edit", "done", target="m/r/0"), ["done"]),
        (ask("edit", "50 %", target="m/r/0", passing="yes"), []),
        (ask("react", name="ok", event="e1"), []),
        (ask("delete", target="m/r/0"), []),
        (ask("topic", "peace"), ["The topic of t/a could not be set (t has no topic)"]),
        (ask("join"), ["I could not join t/a (t has no join)"]),
        (ask("part"), ["I could not leave t/a (t has no part)"]),
        (
            ask("upload", name="a.log"),
            ["The file a.log could not be shown in t/a (t has no upload)"],
        ),
        (ask("topic", "peace", origin=""), []),
    ],
    ids=lambda value: f"{value.op} {value.text}" if isinstance(value, Reply) else "",
)
async def test_what_a_service_cannot(
    wish: Reply, said: list[str], autojump_clock: trio.testing.MockClock
) -> None:
    """It is said in words, left out where it only adorns, or whoever asked is told, in the same room too."""
    async with draining() as stage:
        stage.queue.put_reply(wish)
        stage.queue.put("t/a", "end")
        await until(lambda: "end" in stage.service.ended and not any(stage.queue.waiting.values()))

    assert sorted(stage.service.ended) == sorted([*said, "end"])
    failed = wish.op in {"topic", "join", "part", "upload"}
    assert stage.queue.reports[0] == ("m/r/1", "dead" if failed else "sent")


async def test_somebody_is_called_in_the_form_of_the_service(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Where it has none, by name."""
    call = ask("say", "ping", mention="U1", name="Ada")
    for service, text in ((Able(), "<@U1> ping"), (Service(), "Ada: ping")):
        async with draining(service) as stage:
            stage.queue.put_reply(call)
            await until(service.ended.copy)
        assert service.ended == [text]


async def test_what_was_sent_is_changed_under_the_name_it_has_there() -> None:
    """The service's name for a reply is noted, and an edit of that reply names it so; of others by the reply's id."""
    service, memory = Able(), Memory()
    operations = Operations(memory, memory)
    await operations.perform(service, ask("say", "hello", 1))
    await operations.perform(service, ask("edit", "hi", 2, target="m/r/1"))
    await operations.perform(service, ask("delete", "", 3, target="m/r/7"))

    assert memory.names == {"m/r/1": "ts-hello"}
    assert [reply.args.get("target") for reply in service.done] == [None, "ts-hello", "m/r/7"]


async def test_a_slow_redis_puts_no_send_in_doubt(autojump_clock: trio.testing.MockClock) -> None:
    """That the name of what was sent cannot be noted is no reason to send it again."""
    memory = Memory(seconds=100)
    with structlog.testing.capture_logs() as logs:
        await Operations(memory, memory).perform(Able(), ask("say", "hello"))

    assert trio.current_time() < 2 * NOTING
    assert [line["event"] for line in logs] == ["a reply cannot be changed later"]


async def test_rooms_are_remembered(autojump_clock: trio.testing.MockClock) -> None:
    """A room that was joined is noted with its key, one that was left as such; while Redis is away, it is done again."""
    service, memory = Able(), Memory(failures=1)
    async with draining(service) as stage:
        stage.drain._delivery._operations = Operations(memory, memory)
        stage.queue.put_reply(ask("join", "", 1, key="secret"))
        await until(lambda: memory.rooms, within=10)
        assert memory.rooms == {"t/A": "secret"}
        stage.queue.put_reply(ask("part", "", 2))
        await until(lambda: memory.rooms == {"t/A": None}, within=10)

    assert [reply.op for reply in service.done] == ["join", "join", "part"]


async def test_only_what_is_said_is_doubted(autojump_clock: trio.testing.MockClock) -> None:
    """To set a topic twice is to set it; so it is, whatever `on_doubt` says of what is said."""
    service = Able()
    service.acts["peace"] = service.acts["waves"] = refuse(InDoubt("who knows"))
    async with draining(service, "skip") as stage:
        stage.queue.put_reply(ask("topic", "peace", 1))
        stage.queue.put_reply(ask("act", "waves", 2))
        await until(lambda: ("m/r/2", "sent") in stage.queue.reports, within=10)

    assert service.began == ["peace", "peace", "waves"]


async def test_what_was_meant_for_one_is_not_told_to_all(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A note about a private reply that cannot be said does not repeat it."""
    async with draining() as stage:
        stage.service.acts["secret"] = refuse(Undeliverable("no such user"))
        stage.queue.put_reply(Reply("m/r/1", "t/@u1", "secret", origin="t/home"))
        await until(lambda: stage.service.ended)

    assert stage.service.ended == ["This could not be said in t/@u1 (no such user)"]


def test_nothing_is_reacted_to_that_has_no_name() -> None:
    """A service may give a message no id."""
    assert adapt(Able(), ask("react", name="ok", event="")) is None


def test_speech_has_no_explanation_of_its_own() -> None:
    """What could not be said is repeated instead."""
    assert explain(ask("say", "hello"), "gone") == ""


def test_a_file_that_is_none() -> None:
    """It is given up like all that can never be shown."""
    assert read_file(ask("upload", data="aGVsbG8=")) == b"hello"
    with pytest.raises(Undeliverable, match="the file cannot be read"):
        read_file(ask("upload", data="@"))


class Styled(Able):
    """A service that shows emphasis."""

    style = IRC


def test_markdown_is_what_the_service_shows() -> None:
    """Plain words where it shows nothing else; what is no markdown is left alone."""
    marked = Reply("r/1", "t/r", "**web** is up", args={"markup": "markdown"})
    plain = Reply("r/2", "t/r", "**web** is up")
    for service, text in ((Able(), "web is up"), (Styled(), "\x02web\x02 is up")):
        shown, left = adapt(service, marked), adapt(service, plain)
        assert shown is not None
        assert left is not None
        assert (shown.text, left.text) == (text, "**web** is up")
