"""Whom the bot meets it knows, and that costs no round trip."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
import trio.testing

from hachat.bot import people as module
from hachat.bot.people import AGAIN, People, TransientDirectory
from hachat.core.errors import Ambiguous, NotFound, StoreUnavailable
from hachat.core.known import Known
from hachat.core.messages import Message, Room, User
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.people import KINDS, Directory
from hachat.testing import Driver, handlers
from tests.waiting import until

OPS = Room("irc", "#ops")


def say(user: str = "U1", name: str = "Ada", *, at: float = 100.0, room: Room = OPS) -> Message:
    """Return something somebody has said."""
    return Message("M1", room, User(user, name), "hello", at=at)


class Spy(TransientDirectory):
    """Counts what is written, and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.failures = failures
        self.written: list[int] = []

    async def note(self, met: Sequence[Known]) -> None:
        """Write, or say that nobody knows."""
        await trio.lowlevel.checkpoint()
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("no answer")
        self.written.append(len(met))
        await super().note(met)


@pytest.fixture(params=["redis", "process"])
def people(request: pytest.FixtureRequest, link: Link, keys: Keys) -> People:
    """People whom nobody has met yet."""
    if request.param == "process":
        return People()
    return People(*(Directory(link, keys, kind) for kind in KINDS))


async def test_whoever_was_met_is_found(people: People) -> None:
    """By id, name, mention and beginning, at once."""
    people.meet(say())

    for text in ("U1", "<@U1>", "irc/U1", "Ada", "ADA", "@ada", "ad"):
        assert await people.find_user("irc", text) == User("U1", "Ada")
    with pytest.raises(NotFound, match="I know no user called bob"):
        await people.find_user("irc", "bob")
    with pytest.raises(NotFound):
        await people.find_user("matrix", "ada")


async def test_a_renamed_user_is_found_by_the_new_name(people: People) -> None:
    """The old name finds nobody."""
    people.meet(say())
    people.meet(say(name="Countess", at=101.0))

    assert await people.find_user("irc", "countess") == User("U1", "Countess")
    with pytest.raises(NotFound):
        await people.find_user("irc", "ada")


async def test_who_is_not_the_only_one_is_asked_for(people: People) -> None:
    """Two of one name, or of one beginning, are told with their ids; an id is always enough."""
    for user, name in (("U1", "Ada"), ("U2", "ada"), ("U3", "Adam")):
        people.meet(say(user, name))

    with pytest.raises(Ambiguous, match=r"ada may be Ada \(U1\), ada \(U2\); say which"):
        await people.find_user("irc", "ada")
    assert await people.find_user("irc", "adam") == User("U3", "Adam")
    assert await people.find_user("irc", "U2") == User("U2", "ada")


async def test_rooms_are_found(people: People) -> None:
    """By id, address and name, with or without the sign; private ones by their id alone."""
    people.meet(say())
    people.meet(say(room=Room("irc", "ada", private=True)))

    for text in ("#ops", "ops", "irc/#ops", "o"):
        assert await people.find_room("irc", text) == OPS
    assert await people.find_room("irc", "ada") == Room("irc", "ada", private=True)
    assert [known.id for known in await people.search_rooms("irc", "", 10)] == ["#ops"]


async def test_an_empty_text_finds_nobody(people: People) -> None:
    """Nobody is meant by nothing."""
    people.meet(say())

    for text in ("", " ", "@"):
        with pytest.raises(NotFound):
            await people.find_user("irc", text)


async def test_what_was_noted_is_not_noted_again() -> None:
    """A person who talks costs nothing, until the name changes or much time has passed."""
    users = Spy()
    people = People(users, Spy())
    for at in (100.0, 101.0, 100.0 + AGAIN - 1):
        people.meet(say(at=at))
        await people.search_users("irc", "", 1)
    assert users.written == [1]

    people.meet(say(at=100.0 + AGAIN))
    await people.search_users("irc", "", 1)
    people.meet(say(name="Countess", at=101.0 + AGAIN))
    await people.search_users("irc", "", 1)
    assert users.written == [1, 1, 1]


async def test_many_are_written_at_once(nursery: trio.Nursery) -> None:
    """A crowd is written in few batches, soon after it has spoken."""
    users = Spy()
    people = People(users, TransientDirectory())
    await nursery.start(people.run)
    for number in range(250):
        people.meet(say(f"U{number}", f"user{number}"))
    await trio.testing.wait_all_tasks_blocked()

    assert users.written == [100, 100, 50]


async def test_redis_may_be_away(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """What could not be written is written later, and nobody who talks is held up."""
    users = Spy(failures=2)
    people = People(users, TransientDirectory())
    await nursery.start(people.run)
    people.meet(say())

    await until(lambda: users.written == [1])


async def test_what_a_node_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more users than that the ones noted first are noted again."""
    monkeypatch.setattr(module, "REMEMBERED", 2)
    users = Spy()
    people = People(users, TransientDirectory())
    for user in ("U1", "U2", "U3", "U1", "U1"):
        people.meet(say(user, user))
        await people.search_users("irc", "", 1)

    assert users.written == [1, 1, 1, 1]


async def test_odd_names_are_left_out(people: People) -> None:
    """An id or a name that is longer than any is not kept."""
    people.meet(say("U" * 500, "Ada"))
    people.meet(say("U2", "A" * 500))

    assert await people.search_users("irc", "", 10) == []


@handlers()
async def test_a_bot_knows_whom_it_has_met(bot: Driver) -> None:
    """Whoever has said something to anybody is found from then on."""
    await bot.as_user("bob").say("hello all")

    assert await bot.robot.services.find_user("test", "b") == User("bob", "bob")
    assert (await bot.robot.services.find_room("test", "room")).id == "#room"
