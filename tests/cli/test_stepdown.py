"""`hachat step-down` as it is typed: its exit codes, and what it says."""

from __future__ import annotations

import json

import msgspec
import pytest

from hachat.cluster.stepdown import Succession
from hachat.core.errors import StepDownCode, StepDownRefused
from hachat.core.lease import Token
from hachat.core.stepdown import Order
from hachat.core.timing import Timing
from hachat.store.control import drain
from hachat.store.keys import Keys
from hachat.store.lease import open_lease
from hachat.store.link import Link
from hachat.store.members import Member, Members
from hachat.store.schedule import look, schedule
from tests.cli.running import Place
from tests.store.test_lease import take


async def populate(link: Link, keys: Keys) -> Token:
    """Have three nodes that only seem to live, of which one is master, whose token is returned, and another is drained."""
    for name in ("a", "b", "c"):
        me = Member(name, f"{name}1", 1, "http://127.0.0.1:1", "0", 0.0, beat=60.0, life=600.0)
        await Members(link, keys, me).join()
    await drain(link, keys, "c", by="ada", reason="disk")
    async with open_lease(link, keys, Timing(ttl=60.0, lock_delay=60.0)) as store:
        return await take(store, "a")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--from", "b"), 7, "a is master, not b"),
        (("--to", "a"), 8, "a is the master already"),
        (("--to", "z"), 8, "z is not alive"),
        (("--to", "c"), 8, "by ada: disk, so it cannot take over"),
        (("--wait", "0.5"), 2, "a did not step down within 0.5 s"),
        (("--force", "--to", "z", "--wait", "0.5"), 2, "a did not step down within 0.5 s"),
        (("--at", "+10m", "--to", "z"), 8, "z is not alive"),
        (("--at", "+10m", "--from", "b"), 7, "a is master, not b"),
        (("--at", "2001-01-01T00:00Z"), 2, "has gone by: it is 20"),
        (("--at", "1970-01-01T00:00Z"), 2, "has gone by: it is 20"),
        (("--at", "soon"), 2, "is no time such as"),
        (("--hold", "long"), 2, "is no span of time"),
        (("--cancel", "--to", "b"), 2, "--cancel takes back"),
    ],
)
def test_what_is_not_done_has_its_code(
    arguments: tuple[str, ...], code: int, said: str, place: Place
) -> None:
    """Each reason is told apart, in words on standard error and by the exit code."""
    place.do(populate)
    done = place.run("step-down", *arguments)
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_master_it_is_code_3(place: Place) -> None:
    """Now and at a time."""
    for arguments in ((), ("--at", "+10m")):
        done = place.run("step-down", *arguments)
        assert done.exit_code == 3
        assert "nobody is master" in done.stderr


def test_without_a_successor_it_is_code_3(place: Place) -> None:
    """There is a master, but nobody who could be the next."""

    async def leave(link: Link, keys: Keys) -> None:
        await populate(link, keys)
        await drain(link, keys, "b", by="ada")

    place.do(leave)
    done = place.run("step-down")
    assert done.exit_code == 3
    assert "nobody could take over: b is drained since " in done.stderr
    assert done.stderr.endswith("by ada: disk\n")


def test_a_time_is_shown_and_taken_back(place: Place) -> None:
    """`status` tells what waits, a second one is refused, and it can be recalled once."""
    place.do(populate)
    ordered = place.run("step-down", "--to", "b", "--at", "+10m", "--by", "eve", "--reason", "disk")
    assert ordered.exit_code == 0, ordered.output
    assert ordered.stdout.startswith("scheduled for ")
    assert place.run("step-down", "--at", "+20m").exit_code == 2

    shown, told = place.run("status"), place.run("status", "--json")
    assert "step-down to b at " in shown.stdout
    assert "ordered by eve: disk" in shown.stdout
    assert json.loads(told.stdout)["scheduled"]["to"] == "b"

    recalls = [place.run("step-down", "--cancel") for _ in range(2)]
    assert [(done.exit_code, done.stdout) for done in recalls] == [
        (0, "cancelled\n"),
        (0, "nothing was scheduled\n"),
    ]
    assert msgspec.json.decode(place.run("status", "--json").stdout)["scheduled"] is None


def test_one_that_was_missed_is_shown(place: Place) -> None:
    """`status` tells of it after the log has."""

    async def miss(link: Link, keys: Keys) -> None:
        master = await populate(link, keys)
        await schedule(link, keys, "r1", 1_700_000_000.0, Order(by="eve"))
        assert (await look(link, keys, master)).kind == "MISSED"

    place.do(miss)
    shown, told = place.run("status"), place.run("status", "--json")
    words = "a step-down that was ordered by eve for 2023-11-14 22:13:20 UTC was not done"
    assert words in " ".join(shown.stdout.split())
    assert json.loads(told.stdout)["control"]["missed"]["by"] == "eve"


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("no master", 3),
        ("no successor", 3),
        ("not taken over", 4),
        ("changed", 7),
        ("ineligible", 8),
        ("failed", 1),
        ("pending", 2),
        ("paused", 2),
        ("unanswered", 2),
    ],
)
def test_each_refusal_has_its_code(
    code: StepDownCode, exit_code: int, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the master or its successor made of it."""

    async def refuse(*_: object, **__: object) -> None:
        raise StepDownRefused("for a reason", code)

    monkeypatch.setattr("hachat.cli.stepdown.move", refuse)
    done = place.run("step-down")
    assert (done.exit_code, done.stderr) == (exit_code, "hachat: for a reason\n")


@pytest.mark.parametrize(
    ("gap", "said"), [(0.0012, "1 ms without a master"), (None, "an unseen time without a master")]
)
def test_what_is_done_is_told(
    gap: float | None, said: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was master and who is, both epochs, and for how long nobody was."""

    async def succeed(*_: object, **__: object) -> Succession:
        return Succession(Token(0, 7, "a", "a1"), Token(0, 8, "b", "b1"), gap)

    monkeypatch.setattr("hachat.cli.stepdown.move", succeed)
    done = place.run("step-down")
    assert (done.exit_code, done.stdout) == (0, f"a -> b, epoch 7 -> 8, {said}\n")
