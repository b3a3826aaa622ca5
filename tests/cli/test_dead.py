"""`hachat dead`: what it prints, what it moves, and when it asks."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from hachat.core.messages import User
from hachat.core.plain import show
from hachat.store.audit import Audit
from hachat.store.keys import Keys
from hachat.store.link import Link
from tests.cli.running import Place
from tests.store.letters import bury, bury_data, message, reply, webhook

EVIL = "\x1b]0;gotcha\x07\u202e\x9b2J"


async def bury_some(link: Link, keys: Keys) -> list[str]:
    """Leave a message, a webhook and a reply."""
    return [
        await bury(link, keys, message(1)),
        await bury(link, keys, webhook(2), "no route"),
        await bury(link, keys, reply(3, "t/dev"), "the outbox of the room is full"),
    ]


async def waiting(link: Link, keys: Keys) -> tuple[int, int, int]:
    """Return how many letters there are, and how many messages and replies wait in the rooms of `bury_some`."""
    return (
        await link.command("XLEN", keys.of("dead")),
        await link.command("LLEN", keys.mailbox("t/ops")),
        await link.command("LLEN", keys.outbox("t/dev")),
    )


async def read_deeds(link: Link, keys: Keys) -> list[tuple[str, str]]:
    """Return what was done, and by whom."""
    deeds = await Audit(link, keys).read_new()
    return [(deed.facts["did"], deed.facts["by"]) for deed in deeds]


@pytest.fixture
def entries(place: Place) -> list[str]:
    """The letters of `bury_some`."""
    return place.do(bury_some)


def test_letters_are_listed(place: Place, entries: list[str]) -> None:
    """Each has a line with its id, room and reason and a few words of what it is, the newest first."""
    done = place.run("dead", "list")

    assert done.exit_code == 0
    lines = [line for line in done.stdout.splitlines() if line[:1].isdigit()]
    assert [line.split()[0] for line in lines] == entries[::-1]
    for line, words in zip(
        lines,
        (("reply", "t/dev", "full", "reply 3"), ("hook/", "no route", "POST"), ("u1: text 1",)),
        strict=True,
    ):
        assert all(word in line for word in words), line


def test_a_list_without_letters_says_so(place: Place) -> None:
    """Nothing is nothing, as text and as JSON."""
    assert place.run("dead", "list").stdout == "no dead letters\n"
    assert json.loads(place.run("dead", "list", "--json").stdout) == {"letters": [], "next": ""}


def test_a_list_is_filtered_and_paged(place: Place, entries: list[str]) -> None:
    """All filters go into the question, and `--after` goes on where the last list ended."""

    def listed(*options: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(place.run("dead", "list", "--json", *options).stdout)
        return found

    def ids(*options: str) -> list[str]:
        return [letter["id"] for letter in listed(*options)["letters"]]

    assert ids("--kind", "reply", "--since", "2h") == entries[2:]
    assert ids("--room", "t/*", "--oldest") == [entries[0], entries[2]]
    assert ids("--why", "ROUTE") == [entries[1]]
    first = listed("--limit", "2")
    assert first["next"] == entries[1]
    assert ids("--after", first["next"]) == [entries[0]]
    assert f"--after {entries[2]}" in place.run("dead", "list", "--limit", "1").stdout


@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "json"])
def test_what_people_wrote_reaches_no_terminal_as_it_is(place: Place, as_json: list[str]) -> None:
    """Neither texts nor names, rooms, reasons or rubbish steer the terminal of whoever looks."""
    evil = message(1, EVIL, text=EVIL, user=User(EVIL, EVIL))
    first = place.do(partial(bury, value=evil, why=EVIL))
    second = place.do(partial(bury_data, kind=EVIL, data=EVIL.encode() + b"|\xff", origin=EVIL))

    for command in (["list"], ["show", first, second]):
        done = place.run("dead", *command, *as_json)
        assert done.exit_code == 0, done.output
        assert done.stdout.replace("\n", "") == show(done.stdout.replace("\n", ""))
        assert "gotcha" in done.stdout


def test_markup_is_text(place: Place) -> None:
    """What looks like markup is shown as it was written."""
    place.do(partial(bury, value=message(1, text="[red]x[/] [/nothing]"), why="[bold]why"))

    listed = place.run("dead", "list").stdout

    assert "[red]x[/] [/nothing]" in listed
    assert "[bold]why" in listed


def test_a_time_no_calendar_has_is_shown(place: Place) -> None:
    """An entry that somebody made by hand hides none of the others."""

    async def write(link: Link, keys: Keys) -> None:
        await link.command("XADD", keys.of("dead"), "9999999999999999999-1", "kind", "message")

    place.do(write)

    assert "9999999999999999999-1" in place.run("dead", "list").stdout
    assert place.run("dead", "show", "9999999999999999999-1").exit_code == 0


def test_letters_are_shown_whole(place: Place, entries: list[str]) -> None:
    """Everything that is known, and the envelope as it would be read; as JSON the same."""
    done = place.run("dead", "show", *entries)

    assert done.exit_code == 0
    for words in ("id     " + entries[0], "reason no route", '"attempt": 2', '"text": "reply 3"'):
        assert words in done.stdout
    shown = json.loads(place.run("dead", "show", "--json", *entries).stdout)
    assert [letter["about"] for letter in shown] == ["m1", "w2", "m3/ping/1"]


def test_a_letter_that_is_not_there_is_exit_code_1(place: Place, entries: list[str]) -> None:
    """The others are shown, and the missing one is named; what is no id is a mistake."""
    done = place.run("dead", "show", entries[0], "1-1")

    assert done.exit_code == 1
    assert entries[0] in done.stdout
    assert done.stderr == "hachat: there is no dead letter 1-1\n"
    assert place.run("dead", "show", "m1").exit_code == 2


def test_rubbish_is_shown_in_part(place: Place) -> None:
    """However long what cannot be read is, its beginning and its length are enough."""
    entry = place.do(partial(bury_data, kind="message", data=b"m1|" + b"x" * 9000))

    done = place.run("dead", "show", entry)

    assert "it cannot be read: not an envelope" in done.stdout
    assert "... (9003 bytes)" in done.stdout
    assert len(done.stdout) < 5000


def test_letters_are_retried_once(place: Place, entries: list[str]) -> None:
    """Those named go back, whoever did it is noted, and a second time they are gone."""
    done = place.run("dead", "retry", entries[0], entries[2], "--by", "ada")
    again = place.run("dead", "retry", entries[0], "--by", "ada")

    assert (done.exit_code, done.stdout) == (0, f"{entries[0]} retried\n{entries[2]} retried\n")
    assert (again.exit_code, again.stdout) == (1, f"{entries[0]} gone\n")
    assert place.do(waiting) == (1, 1, 1)
    assert place.do(read_deeds) == [("retried", "ada")] * 2


def test_letters_are_dropped(place: Place, entries: list[str], monkeypatch: Any) -> None:
    """Those named are gone; who did it is the user who is logged in, unless it is said."""
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    monkeypatch.setenv("LOGNAME", "bob")

    done = place.run("dead", "drop", entries[0], "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout) == [{"id": entries[0], "result": "dropped"}]
    assert place.do(waiting) == (2, 0, 0)
    ((did, by),) = place.do(read_deeds)
    assert (did, by) in {("dropped", "bob"), ("dropped", "root")}


def test_what_cannot_be_retried_says_why(place: Place, entries: list[str]) -> None:
    """A full mailbox and rubbish are told of each letter, the others are moved, and the exit code is 1."""
    place.configure("[queue]\nmailbox = 1\n")
    rubbish = place.do(partial(bury_data, kind="message", data=b"m9|\x1b"))
    second = place.do(partial(bury, value=message(2)))

    done = place.run("dead", "retry", rubbish, entries[0], second, entries[2])

    assert done.exit_code == 1
    first, moved, full, last = done.stdout.splitlines()
    assert first.startswith(f"{rubbish} cannot be read: not an envelope")
    assert moved == f"{entries[0]} retried"
    assert full == f"{second} full: 1 messages are waiting in t/ops"
    assert last == f"{entries[2]} retried"


def test_all_of_them_are_asked_about(place: Place, entries: list[str]) -> None:
    """`--all` says how many are meant and does nothing without a yes."""
    for typed in ("n\n", "", "\n"):
        refused = place.run("dead", "drop", "--all", "--room", "t/*", typed=typed)
        assert refused.exit_code == 2
        assert "drop 2 dead letters?" in refused.stderr
        assert "nothing was done" in refused.stderr
    assert place.do(waiting) == (3, 0, 0)

    done = place.run("dead", "drop", "--all", "--room", "t/*", typed="y\n")

    assert done.exit_code == 0
    assert done.stdout == f"{entries[0]} dropped\n{entries[2]} dropped\n"


def test_all_of_them_without_a_question(place: Place, entries: list[str]) -> None:
    """`--yes` is for scripts; the oldest come first, `--limit` many; nothing to do is no fault."""
    done = place.run("dead", "retry", "--all", "--yes", "--limit", "2")
    assert done.stdout == f"{entries[0]} retried\n{entries[1]} retried\n"
    assert place.run("dead", "retry", "--all", "--yes").exit_code == 0

    done = place.run("dead", "retry", "--all")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "hachat: there is nothing to retry\n"


def test_a_great_many_are_dealt_with(place: Place) -> None:
    """`--all` means all, however many parts they are read in."""

    async def bury_many(link: Link, keys: Keys) -> None:
        for number in range(230):
            await bury(link, keys, message(number))

    place.do(bury_many)

    done = place.run("dead", "drop", "--all", "--yes")

    assert len(done.stdout.splitlines()) == 230
    assert place.do(waiting)[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["retry"],
        ["drop"],
        ["retry", "--room", "x"],
        ["drop", "--all", "1-0"],
        ["drop", "1-0", "--kind", "reply"],
        ["drop", "1-0", "--limit", "3"],
        ["drop", "1-0", "--since", "0s"],
        ["drop", "x"],
        ["list", "--since", "2 weeks"],
        ["list", "--since", "h"],
        ["list", "--kind", "letter"],
        ["list", "--limit", "0"],
        ["list", "--after", "x"],
        ["show"],
    ],
)
def test_a_command_that_means_nothing_is_refused(place: Place, arguments: list[str]) -> None:
    """It ends with 2 and a sentence, and nothing has happened."""
    place.do(bury_some)

    done = place.run("dead", *arguments)

    assert done.exit_code == 2
    assert done.stderr
    assert place.do(waiting) == (3, 0, 0)
