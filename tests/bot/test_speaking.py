"""The verbs of a handler, and what each asks the master for."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable

import pytest
import trio

from hachat.bot.context import Context
from hachat.bot.handle import Handle
from hachat.bot.speaking import MAX_FILE
from hachat.core.errors import WireError
from hachat.core.messages import Event, Message, Reply, Room, User
from tests.bot.test_context import MESSAGE, WEBHOOK, make

ALONE = Message("M1", Room("irc", "ada", private=True), User("ada!x@y", "Ada"), "hi", at=0.0)
EVENT = Message("M1", Room("irc", "#lab"), User("ada"), "hi", at=0.0, event="e1")


async def test_a_handle_is_what_is_said() -> None:
    """Awaited or not: an async method and one in a thread get the same."""
    context, replies = make()
    handle = context.reply("one")

    assert await handle is handle
    assert handle == Handle("irc/#lab", "M1/deploy.ship/1", "T1")
    assert await context.say("irc/#ops", "two") == Handle("irc/#ops", "M1/deploy.ship/2")
    assert [reply.id for reply in replies] == ["M1/deploy.ship/1", "M1/deploy.ship/2"]


async def test_awaiting_a_handle_ends_what_was_cancelled() -> None:
    """So does awaiting what has none."""
    context, _ = make()
    for wish in (context.reply("one"), context.topic("peace")):
        with trio.CancelScope() as scope:
            scope.cancel()
            await wish
        assert scope.cancelled_caught


def ask(act: Callable[[Context], object], inbound: Message = MESSAGE) -> Reply:
    """Return what the master is asked for."""
    context, replies = make(inbound)
    act(context)
    (reply,) = replies
    return reply


def expect(op: str, text: str = "", room: str = "irc/#lab", **fields: object) -> Reply:
    """Return a reply of the kind that an older master leaves to a newer one."""
    return Reply("M1/deploy.ship/1", room, text, op, about="M1", v=3, **fields)  # type: ignore[arg-type]  # the tests' own values


HANDLE = Handle("irc/#lab", "M0/r/1", "T0")
THERE = Handle("irc/#ops", "M0/r/2")
TARGET = {"target": "M0/r/1"}


@pytest.mark.parametrize(
    ("act", "reply"),
    [
        (lambda ctx: ctx.act("waves"), expect("act", "waves", thread="T1")),
        (lambda ctx: ctx.edit(HANDLE, "x"), expect("edit", "x", thread="T0", args=TARGET)),
        (lambda ctx: ctx.delete(HANDLE), expect("delete", thread="T0", args=TARGET)),
        (
            lambda ctx: ctx.react("ok", HANDLE),
            expect("react", thread="T0", args={**TARGET, "name": "ok"}),
        ),
        (
            lambda ctx: ctx.edit(THERE, "x"),
            expect("edit", "x", "irc/#ops", origin="irc/#lab", args={"target": "M0/r/2"}),
        ),
        (lambda ctx: ctx.topic("peace"), expect("topic", "peace", origin="irc/#lab")),
        (
            lambda ctx: ctx.topic("peace", "irc/#ops"),
            expect("topic", "peace", "irc/#ops", origin="irc/#lab"),
        ),
        (
            lambda ctx: ctx.join("irc/#ops", "word"),
            expect("join", "", "irc/#ops", origin="irc/#lab", args={"key": "word"}),
        ),
        (lambda ctx: ctx.part(), expect("part", origin="irc/#lab")),
        (
            lambda ctx: ctx.mention("look"),
            expect("say", "look", thread="T1", args={"mention": "ada", "name": "Ada"}),
        ),
        (
            lambda ctx: ctx.reply_privately("psst"),
            expect("say", "psst", "irc/@ada", origin="irc/#lab"),
        ),
    ],
)
def test_verbs(act: Callable[[Context], object], reply: Reply) -> None:
    """What does not speak for itself names a room that is told if it cannot be done."""
    assert ask(act) == reply


def test_reactions_are_to_what_was_heard() -> None:
    """Named as the service names it."""
    reply = ask(lambda ctx: ctx.react("ok"), EVENT)

    assert reply == expect("react", args={"name": "ok", "event": "e1"})


@pytest.mark.parametrize("verb", ["mention", "reply_privately"])
def test_who_is_alone_with_the_bot_is_just_answered(verb: str) -> None:
    """Nobody else is there to be called apart from, or to be hidden from."""
    reply = ask(lambda ctx: getattr(ctx, verb)("hello"), ALONE)

    assert reply == Reply("M1/deploy.ship/1", "irc/ada", "hello", about="M1")


def test_files_travel_with_the_reply() -> None:
    """Up to a size at which they still fit with their text, beyond which the author is told what to do."""
    data = bytes(range(256)) * (MAX_FILE // 256)
    reply = ask(lambda ctx: ctx.upload("a.bin", data, "x" * 60_000))

    assert b64decode(reply.args["data"]) == data
    assert (reply.op, reply.args["name"], reply.origin) == ("upload", "a.bin", "irc/#lab")
    with pytest.raises(ValueError, match="put it elsewhere, and say where"):
        make()[0].upload("a.bin", data + b"x")
    with pytest.raises(ValueError, match="a file needs a name"):
        make()[0].upload("", data)
    with pytest.raises(TypeError, match=r"write text\.encode\(\)"):
        make()[0].upload("a.txt", "text")  # type: ignore[arg-type] # the mistake that is meant


@pytest.mark.parametrize(
    "act",
    [
        lambda ctx: ctx.edit(HANDLE, " "),
        lambda ctx: ctx.act(""),
        lambda ctx: ctx.mention("\n"),
        lambda ctx: ctx.react(""),
        lambda ctx: ctx.topic("x", "#lab"),
        lambda ctx: ctx.join("#lab"),
    ],
)
def test_what_cannot_be_meant_is_refused(act: Callable[[Context], object]) -> None:
    """The author hears of it, and nothing is recorded."""
    context, replies = make()
    with pytest.raises(ValueError, match=r"empty|needs|is no address"):
        act(context)
    assert not list(replies)


def test_a_webhook_names_its_rooms() -> None:
    """It has none of its own; who joins for it is told of in the room that could not be joined."""
    context, replies = make(WEBHOOK)
    for verb in (context.reply, context.act, context.mention, context.topic, context.react):
        with pytest.raises(TypeError, match="called by a webhook"):
            verb("x")
    context.join("irc/#ops")
    context.edit(THERE, "x")

    assert [(reply.op, reply.origin) for reply in replies] == [("join", "irc/#ops"), ("edit", "")]


def test_what_is_too_large_is_refused() -> None:
    """A name that no queue takes is the author's error."""
    with pytest.raises(WireError):
        make()[0].react("x" * 300_000)


async def test_progress_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins as a reply, and changes that one; what the service should not say as a line is marked."""
    context, replies = make()
    monkeypatch.setattr("hachat.bot.progress.SOON", 0.0)
    async with context.progress("deploying") as progress:
        await progress.update("50 %")

    assert [(reply.op, reply.text, reply.args.get("passing", "")) for reply in replies] == [
        ("say", "deploying", ""),
        ("edit", "deploying: 50 %", "yes"),
        ("edit", "deploying: 50 %", ""),
    ]
    assert {reply.args["target"] for reply in list(replies)[1:]} == {"M1/deploy.ship/1"}


def test_what_happens_is_spoken_about_where_it_happened() -> None:
    """Whoever comes into a room can be greeted there, or alone."""
    joined = Event("E1", "joined", 1.0, "irc", Room("irc", "#lab"), User("ada!x@y", "ada"))
    context, replies = make(joined)
    context.mention("welcome")
    context.reply_privately("psst")
    context.topic("everybody is here")

    assert [(reply.op, reply.room, reply.origin, reply.about) for reply in replies] == [
        ("say", "irc/#lab", "", "E1"),
        ("say", "irc/@ada!x@y", "irc/#lab", "E1"),
        ("topic", "irc/#lab", "irc/#lab", "E1"),
    ]


def test_what_happens_nowhere_has_no_answer() -> None:
    """As a webhook has none."""
    context, _ = make(Event("E1", "quit", 1.0, "irc", user=User("ada")))

    assert context.user == User("ada")
    with pytest.raises(TypeError, match="was called by an event, which has no"):
        context.reply("bye")
