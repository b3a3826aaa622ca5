"""Users and rooms in a real server."""

from __future__ import annotations

import pytest

from hachat.core.known import Known
from hachat.store import people as module
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.people import Directory


@pytest.fixture
def users(link: Link, keys: Keys) -> Directory:
    """The users of a cluster that has met nobody."""
    return Directory(link, keys, "users")


def ada(name: str = "Ada", *, at: float = 100.0) -> Known:
    """Return somebody, seen at some time."""
    return Known("irc", "U1", name, last=at)


async def find(users: Directory, beginning: str, most: int = 10) -> list[str]:
    """Return the ids that are found by a beginning."""
    return [known.id for known in await users.search("irc", beginning, most)]


async def test_who_was_noted_is_known(users: Directory) -> None:
    """By id everything comes back: when somebody was met, and when last seen."""
    await users.note([ada(at=100.0)])
    await users.note([ada(at=200.5)])

    assert await users.get("irc", "U1") == Known("irc", "U1", "Ada", first=100.0, last=200.5)
    assert await users.get("irc", "U2") is None
    assert await users.get("matrix", "U1") is None


async def test_found_by_a_beginning(users: Directory) -> None:
    """Names are found by how they begin, without regard to case, the exact one first, on their own adapter."""
    await users.note([Known("irc", "U2", "Adam"), ada(), Known("irc", "U3", "Bob")])
    await users.note([Known("matrix", "U4", "Ada")])

    assert await find(users, "AD") == ["U1", "U2"]
    assert await find(users, "ada") == ["U1", "U2"]
    assert await find(users, "adam") == ["U2"]
    assert await find(users, "dam") == []
    assert await find(users, "") == ["U1", "U2", "U3"]
    assert await find(users, "", most=2) == ["U1", "U2"]


async def test_nothing_in_a_name_is_a_pattern(users: Directory) -> None:
    """Brackets, stars and the like are characters as others are."""
    names = {"U1": "[a]*", "U2": "x\0irc", "U3": "ÿÿ"}
    await users.note([Known("irc", id_, name) for id_, name in names.items()])

    assert await find(users, "[a]*") == ["U1"]
    assert await find(users, "*") == []
    assert await find(users, "ÿ") == ["U3"]
    assert await find(users, "xirc") == ["U2"]


async def test_a_rename_moves_the_name(users: Directory) -> None:
    """The old name finds nobody, or whoever has it now."""
    await users.note([ada("Ada", at=100.0)])
    await users.note([ada("Countess", at=200.0)])
    assert await find(users, "ada") == []
    assert await find(users, "countess") == ["U1"]

    await users.note([Known("irc", "U2", "Ada", last=300.0)])
    assert await find(users, "ada") == ["U2"]


async def test_a_name_that_is_out_of_date_changes_nothing(users: Directory) -> None:
    """A node that handles an old message late does not bring the old name back."""
    await users.note([ada("Countess", at=200.0)])
    await users.note([ada("Ada", at=100.0)])

    assert await find(users, "ada") == []
    assert await find(users, "countess") == ["U1"]


async def test_a_time_to_come_is_not_believed(users: Directory) -> None:
    """A message from the future does not freeze the name for ever."""
    await users.note([ada("Ada", at=9e9)])
    seen = await users.get("irc", "U1")
    assert seen is not None
    assert seen.last < 9e9


async def test_two_may_have_one_name(users: Directory) -> None:
    """Both are found, and renaming one leaves the other."""
    await users.note([ada(at=100.0), Known("irc", "U2", "ada", last=100.0)])
    assert await find(users, "ada") == ["U1", "U2"]

    await users.note([ada("Countess", at=200.0)])
    assert await find(users, "ada") == ["U2"]


async def test_private_rooms_are_known_by_their_id_alone(link: Link, keys: Keys) -> None:
    """Nobody finds out by a name who talks to the bot alone."""
    rooms = Directory(link, keys, "rooms")
    await rooms.note([Known("irc", "ada", private=True), Known("irc", "#ops")])

    assert await find(rooms, "") == ["#ops"]
    assert await find(rooms, "ops") == ["#ops"]
    room = await rooms.get("irc", "ada")
    assert room is not None
    assert room.private


async def test_users_and_rooms_do_not_meet(users: Directory, link: Link, keys: Keys) -> None:
    """Each kind has keys of its own."""
    await users.note([ada()])

    assert await find(Directory(link, keys, "rooms"), "ada") == []


async def test_the_oldest_are_dropped(users: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more are kept than a limit, and of those that go the names go, too."""
    monkeypatch.setattr(module, "MOST", 2)
    await users.note([Known("irc", f"U{n}", f"user{n}", last=float(n)) for n in (3, 1, 2)])

    assert await find(users, "user") == ["U2", "U3"]
    assert await users.get("irc", "U1") is None
