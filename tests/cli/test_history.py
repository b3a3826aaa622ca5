"""`hachat history`: the terms of the masters, as they are shown."""

from __future__ import annotations

import json

from rich.console import Console

from hachat.cli.history import render
from hachat.core.lease import Token
from hachat.core.timing import Timing
from hachat.store.history import Ending, History, Returned, Term, Unseen
from hachat.store.keys import Keys
from hachat.store.lease import open_lease
from hachat.store.link import Link
from tests.cli.running import Place
from tests.store.test_lease import take


async def rule(link: Link, keys: Keys) -> None:
    """Have one node lead and step down, and another leave an entry that cannot be read."""
    async with open_lease(link, keys, Timing()) as store:
        old = await take(store, "a")
        await store.release(old, "b", 10.0, "kernel\x1b", cause="step-down", by="ada")
        await take(store, "b")
        await link.command("XADD", keys.of("history"), "*", "event", "rubbish")


def test_the_terms_are_told(place: Place) -> None:
    """The newest is the first, and says that it lasts; the one before it tells who ended it and why."""
    place.do(rule)

    shown = place.run("history", env={"COLUMNS": "200"})
    told = json.loads(place.run("history", "--json", "-n", "1").stdout)

    assert shown.exit_code == 0, shown.output
    heading, newest, oldest, note = shown.stdout.splitlines()
    assert " ".join(heading.split()) == "EPOCH NODE FROM (UTC) TO (UTC) LASTED GAP END"
    assert newest.split()[1] == "b"
    assert newest.rstrip().endswith("master now")
    assert oldest.rstrip().endswith(r"step-down by ada to b: kernel\x1b")
    assert note == "! 1 entries cannot be read and are left out"
    (term,) = told["terms"]
    assert (term["node"], term["end"]) == ("b", None)
    assert term["previous"]["how"] == "returned"
    assert term["previous"]["by"] == "ada"
    assert 0 <= term["gap"] < 5
    assert told["master"] == term["token"]


def test_before_the_first_term(place: Place) -> None:
    """An empty history is told in words, and as JSON all the same."""
    shown, told = place.run("history"), place.run("history", "--json")
    assert (shown.exit_code, shown.stdout) == (
        0,
        "nobody has been master yet, as far as Redis remembers\n",
    )
    assert json.loads(told.stdout) == {"master": "", "terms": [], "unreadable": 0}


def test_a_count_that_is_none_is_refused(place: Place) -> None:
    """Less than one term, or more than the cluster remembers, cannot be asked for."""
    assert place.run("history", "-n", "0").exit_code == 2
    assert place.run("history", "-n", "1001").exit_code == 2


async def spoil(link: Link, keys: Keys) -> None:
    """Put something else where the history belongs."""
    await link.command("SET", keys.of("history"), "x")


def test_a_key_of_another_type_is_a_sentence(place: Place) -> None:
    """What Redis refuses to read ends the command as with every other, without a traceback."""
    place.do(spoil)
    done = place.run("history")
    assert done.exit_code == 5
    assert done.stderr.startswith("hachat: ")
    assert "Traceback" not in done.output


def make(
    epoch: int,
    end: Ending | None = None,
    previous: Ending | None = None,
    gap: tuple[float | None, float | None] = (None, None),
    *,
    redis: str = "",
) -> Term:
    """Return a term of the node `n<epoch>` that began at that many thousand seconds."""
    token = Token(0, epoch, f"n{epoch}", "b")
    return Term(epoch, token.node, str(token), epoch * 1000.0, end, previous, *gap, redis)


def show(told: History) -> list[list[str]]:
    """Return the columns of each line."""
    console = Console(width=200)
    with console.capture() as capture:
        console.print(render(told))
    lines = capture.get().splitlines()
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]


def test_ends_and_gaps_are_told_in_words() -> None:
    """What was seen is told exactly, of what was not only the bounds are."""
    silent = Unseen(2990.5, 3000.0, "silent")
    shutdown = Returned(1500.0, "shutdown", "shutdown")
    lost = Unseen(None, 1000.0, "forgotten")
    terms = [
        make(3, None, silent, (None, 9.5), redis="failover"),
        make(2, silent, shutdown, (0.012, 0.012)),
        make(1, shutdown, lost),
    ]
    head, third, second, first = show(History("", terms, 0))
    assert head[0] == "EPOCH"
    since = "1970-01-01 00"
    assert third == [
        *("3", "n3", f"{since}:50:00.000", "-", "at most 9.5 s"),
        "unknown: nobody followed yet",
    ]
    assert second == [
        *("2", "n2", f"{since}:33:20.000", f"before {since}:50:00.000"),
        *("16 min 30 s or more", "12 ms", "silent; Redis had failed over"),
    ]
    assert first == [
        *("1", "n1", f"{since}:16:40.000", f"{since}:25:00.000", "8 min 20 s", "?", "shutdown")
    ]


def test_why_a_service_was_not_reached_is_told() -> None:
    """Beside the cause, with whatever the service has said, as characters."""
    end = Returned(1001.0, "unreachable", "irc: \x1bdown", "n2")
    _, line = show(History("", [make(1, end)], 0))
    assert line[-1] == "unreachable to n2: irc: \\x1bdown"


def test_an_older_release_named_no_cause() -> None:
    """Then its reason is shown as it is."""
    end = Returned(1001.0, "", "deploy")
    _, line = show(History("", [make(1, end)], 0))
    assert line[-2:] == ["-", "deploy"]
