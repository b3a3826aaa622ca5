"""What a handler can see and say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hachat.bot.context import PATIENCE, Context
from hachat.bot.description import Bot
from hachat.bot.replies import Replies
from hachat.bot.services import Services
from hachat.bot.timers import Target, Timers
from hachat.core.errors import CallError, Unanswered, Unsupported, WireError
from hachat.core.messages import Inbound, Job, Message, Operation, Reply, Room, User, Webhook
from hachat.core.wire import MAX_TEXT, decode_reply, encode

MESSAGE = Message(
    "M1", Room("irc", "#lab"), User("ada", "Ada"), "hachat deploy web", at=0.0, thread="T1"
)
WEBHOOK = Webhook("W1", "deploys.deployed", "POST", "/deployed", at=0.0)
BOT = Bot("hachat", "alpha")


JOB = Job("J1", "deploys.remind", at=60.0, data='"tea"')


def find(handler: str, method: str) -> Target:
    """Know no method."""
    raise LookupError(f"{handler} has no {method}")


def make(inbound: Inbound = MESSAGE, text: str = "deploy web") -> tuple[Context, Replies]:
    """Return a context and where its replies go."""
    replies = Replies(inbound.id, "deploy.ship")
    timers = Timers("deploy.ship", "deploy", find)
    return Context(inbound, replies, BOT, timers, Services(), text=text), replies


def test_reply_is_recorded_at_once() -> None:
    """A reply needs no await: it is numbered, and goes to the room and thread of the message."""
    context, replies = make()
    context.reply("one")
    context.say("matrix/!abc:example.org", "two")
    assert list(replies) == [
        Reply("M1/deploy.ship/1", "irc/#lab", "one", thread="T1", about="M1"),
        Reply("M1/deploy.ship/2", "matrix/!abc:example.org", "two", about="M1", origin="irc/#lab"),
    ]


def test_only_another_room_has_an_origin() -> None:
    """Whoever asked is told of what cannot be said elsewhere; what cannot be said here, nobody can be told of."""
    context, replies = make()
    context.say("irc/#lab", "here")
    context.reply("here")
    hook, hooked = make(WEBHOOK)
    hook.say("irc/#ops", "there")

    assert [reply.origin for reply in (*replies, *hooked)] == ["", "", ""]


async def test_reply_ends_what_was_cancelled() -> None:
    """Awaiting a reply costs no turn of the loop, but a handler whose time is up ends there, the reply kept."""
    context, replies = make()
    with trio.testing.assert_no_checkpoints():
        context.reply("one")
    with trio.CancelScope() as scope:
        scope.cancel()
        await context.reply("two")
    assert scope.cancelled_caught
    assert [reply.text for reply in replies] == ["one", "two"]


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_empty_replies_are_refused(text: str) -> None:
    """No service takes an empty message, so the author hears of it."""
    context, replies = make()
    with pytest.raises(ValueError, match=r"deploy\.ship: the reply is empty"):
        context.reply(text)
    assert not list(replies)


def test_late_replies_are_refused() -> None:
    """A reply that nobody would send any more is an error, not a loss."""
    context, replies = make()
    replies.close()
    with pytest.raises(RuntimeError, match=r"deploy\.ship has ended"):
        context.reply("late")
    with pytest.raises(RuntimeError, match="reply before the handler returns"):
        context.say("irc/#lab", "late")


def test_what_cannot_be_queued_is_refused() -> None:
    """A reply that no queue could take is the handler's error, not the worker's."""
    with pytest.raises(WireError, match="surrogates"):
        make()[0].say("irc/\ud800", "hello")


@pytest.mark.parametrize("address", ["", "#lab", "/#lab", "irc/"])
def test_bad_addresses(address: str) -> None:
    """A room without its adapter is no address."""
    with pytest.raises(ValueError, match="write <adapter>/<room>"):
        make()[0].say(address, "hello")


@given(st.text(st.characters()).filter(str.strip))
def test_replies_can_be_queued(text: str) -> None:
    """Whatever is said survives the queue, lone surrogates and all."""
    context, (reply,) = say(text)
    assert decode_reply(encode(reply)) == reply
    assert context.id == reply.about


def say(text: str) -> tuple[Context, list[Reply]]:
    """Return a context that has said `text`, and the reply."""
    context, replies = make()
    context.reply(text)
    return context, list(replies)


def test_long_replies_are_cut() -> None:
    """A reply is bounded."""
    _, (reply,) = say("x" * (MAX_TEXT + 1))
    assert len(reply.text) == MAX_TEXT


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("", ()),
        ("deploy", ()),
        ("deploy web  now", ("web", "now")),
        ("say \"two words\" 'and more' a\\ b", ("two words", "and more", "a b")),
        ("say it's fine", ("it's", "fine")),
        ('say "open', ('"open',)),
    ],
)
def test_args(text: str, args: tuple[str, ...]) -> None:
    """Words are split as a shell does; quotes that do not close are plain characters."""
    assert make(text=text)[0].args == args


@given(st.text())
def test_any_args(text: str) -> None:
    """No text breaks the splitting."""
    assert isinstance(make(text=text)[0].args, tuple)


def test_message_and_webhook() -> None:
    """Each has its own, and says so when it is asked for the other."""
    context, _ = make()
    assert (context.message, context.user.id, context.room.id) == (MESSAGE, "ada", "#lab")
    with pytest.raises(TypeError, match=r"deploy\.ship was called by a message"):
        _ = context.webhook
    context, _ = make(WEBHOOK)
    assert context.webhook is WEBHOOK
    for ask in ("message", "user", "room"):
        with pytest.raises(
            TypeError, match=r"called by a webhook, which has no .* use ctx\.webhook"
        ):
            getattr(context, ask)
    with pytest.raises(TypeError, match=r"and ctx\.say to speak in a room"):
        context.reply("hello")


def test_job() -> None:
    """A job has its data and its time, and neither a room to answer in nor a request."""
    context, _ = make(JOB)
    assert context.job is JOB
    with pytest.raises(TypeError, match=r"called by a job, which has no .* use ctx\.job"):
        context.reply("hello")
    with pytest.raises(TypeError, match=r"called by a job; use ctx\.job"):
        _ = context.webhook
    with pytest.raises(TypeError, match=r"called by a message; use ctx\.message"):
        _ = make()[0].job


def test_log_names_the_message() -> None:
    """Every line a handler logs has the message, the route and the node."""
    with capture_logs() as lines:
        make()[0].log.info("shipping", app="web")
    (line,) = lines
    assert line["event"] == "shipping"
    assert (
        line.items()
        >= {"message": "M1", "route": "deploy.ship", "node": "alpha", "app": "web"}.items()
    )


class Service:
    """What a context asks: it notes what, and tells who is there, raises, or never answers."""

    def __init__(self, *users: User, error: Exception | None = None, silent: bool = False) -> None:
        self.asked: list[tuple[str, str, str, dict[str, str] | None]] = []
        self._users = users
        self._error = error
        self._silent = silent

    async def __call__(
        self, op: Operation, room: str, *, about: str = "", args: dict[str, str] | None = None
    ) -> Sequence[User]:
        """Answer."""
        self.asked.append((op, room, about, args))
        if self._silent:
            await trio.sleep_forever()
        if self._error:
            raise self._error
        return self._users


def ask(service: Service, inbound: Message | Webhook = MESSAGE) -> Context:
    """Return a context that asks `service`."""
    timers = Timers("deploy.ship", "deploy", find)
    return Context(inbound, Replies(inbound.id, "deploy.ship"), BOT, timers, Services(ask=service))


async def test_rosters() -> None:
    """Without an address it is the message's room that is asked about."""
    service = Service(User("ada"), User("bob"))

    assert await ask(service).roster() == [User("ada"), User("bob")]
    assert await ask(service).roster("slack/C1") == [User("ada"), User("bob")]
    assert service.asked == [("roster", "irc/#lab", "M1", {}), ("roster", "slack/C1", "M1", {})]


async def test_lookups() -> None:
    """A user is looked up on the message's service or on another, in a line of its own, and may not exist."""
    service = Service(User("U1", "Ada"))

    assert await ask(service).lookup("U1") == User("U1", "Ada")
    assert await ask(service).lookup("U1", "slack") == User("U1", "Ada")
    assert await ask(Service()).lookup("U1") is None
    args = {"user": "U1"}
    assert service.asked == [("lookup", "irc/U1", "M1", args), ("lookup", "slack/U1", "M1", args)]


async def test_a_webhook_asks_about_a_room_by_name() -> None:
    """It has no room of its own."""
    context = ask(Service(User("ada")), WEBHOOK)

    assert await context.roster("irc/#lab") == [User("ada")]
    assert await context.lookup("ada", "irc") == User("ada")
    with pytest.raises(TypeError, match="called by a webhook"):
        await context.roster()
    with pytest.raises(TypeError, match="called by a webhook"):
        await context.lookup("ada")


async def test_nobody_waits_longer_than_they_want(autojump_clock: trio.testing.MockClock) -> None:
    """The time is the caller's, and what was not answered in it is told apart from what nobody knows."""
    context = ask(Service(silent=True))

    for within, seconds in ((3.0, 3.0), (PATIENCE, PATIENCE)):
        began = trio.current_time()
        with pytest.raises(
            Unanswered, match=f"no answer to roster of irc/#lab within {within:g} s"
        ):
            await context.roster(within=within)
        assert trio.current_time() - began == pytest.approx(seconds)


async def test_what_cannot_be_told() -> None:
    """A service that does not know, no cluster at all, and addresses that are none are errors of their own."""
    with pytest.raises(CallError, match="no such room"):
        await ask(Service(error=CallError("no such room"))).roster()
    with pytest.raises(Unsupported, match="no cluster to ask"):
        await make()[0].roster()
    with pytest.raises(ValueError, match="is no address"):
        await make()[0].roster("#lab")
    with pytest.raises(ValueError, match="is no address"):
        await make()[0].lookup("")
