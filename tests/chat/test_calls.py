"""What a service answers to a question, or why it does not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import structlog

from hachat.chat.calls import make_call, refuse_call
from hachat.core.errors import NotSent
from hachat.core.messages import Answer, Operation, Reply, User
from hachat.core.wire import MAX_TEXT, encode
from tests.chat.stage import Service

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")


class Directory(Service):
    """A service that knows two people, who are in the room `a`."""

    async def roster(self, channel: str) -> Sequence[User]:
        """Tell who is there."""
        return [ADA, BOB] if channel == "a" else []

    async def lookup(self, user: str) -> User | None:
        """Tell who it is."""
        return {one.id: one for one in (ADA, BOB)}.get(user)


def call(op: Operation = "roster", channel: str = "a", **args: str) -> Reply:
    """Return a call of node n1."""
    return Reply("c1", f"t/{channel}", op=op, args=args, answer="n1:b1")


@pytest.mark.parametrize(
    ("asked", "users"),
    [
        (call(), (ADA, BOB)),
        (call(channel="b"), ()),
        (call("lookup", user="u2"), (BOB,)),
        (call("lookup", user="u3"), ()),
        (call("lookup"), ()),
    ],
    ids=["roster", "empty room", "found", "not found", "nobody named"],
)
async def test_an_answer_is_for_the_node_that_asked(asked: Reply, users: tuple[User, ...]) -> None:
    """It has the id of the call, and whoever was found; that there is nobody is an answer too."""
    assert await make_call(Directory(), asked) == Answer("c1", "n1:b1", users)


@pytest.mark.parametrize("op", ["roster", "lookup", "say"])
async def test_what_a_service_cannot_tell_is_not_asked_again(op: Operation) -> None:
    """Whether it has the method decides, and the answer says that it never will; other operations are no calls."""
    service = Service() if op != "say" else Directory()

    answer = await make_call(service, call(op))

    assert answer == Answer("c1", "n1:b1", error=f"t does not know {op}", supported=False)


async def test_what_a_service_raises_is_for_the_caller() -> None:
    """A limit, for instance, is not an answer yet."""

    class Busy(Directory):
        async def roster(self, channel: str) -> Sequence[User]:
            """Have no time."""
            raise NotSent("slow down", after=30.0)

    with pytest.raises(NotSent, match="slow down"):
        await make_call(Busy(), call())


async def test_an_answer_that_is_too_large_is_an_error() -> None:
    """A room with more people than an envelope can carry is told of, instead of being told in part."""

    class Crowd(Directory):
        async def roster(self, channel: str) -> Sequence[User]:
            """Tell of many."""
            return [User(f"user-{number}", "x" * 100) for number in range(5000)]

    with structlog.testing.capture_logs():
        answer = await make_call(Crowd(), call())

    assert "cannot be queued" in answer.error
    assert (answer.users, answer.supported) == ((), True)


def test_a_refusal_is_logged_and_can_be_queued() -> None:
    """The reason may be asked about again, and whatever is in it, it fits an envelope."""
    with structlog.testing.capture_logs() as lines:
        answer = refuse_call(call(), "\ud800" * MAX_TEXT)

    assert (answer.to, answer.supported) == ("n1:b1", True)
    assert answer.error.startswith("??")
    encode(answer)
    assert [(line["event"], line["op"], line["call"]) for line in lines] == [
        ("call not answered", "roster", "c1")
    ]
