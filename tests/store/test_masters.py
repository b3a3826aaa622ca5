"""Which of the Sentinels' answers counts."""

from __future__ import annotations

import pytest

from hachat.core.errors import StoreUnavailable
from hachat.store.masters import (
    Answer,
    Behind,
    FailingOver,
    Failovers,
    Master,
    choose,
    read_answer,
)

OLD, NEW = Master("10.0.0.1", 6379, 3), Master("10.0.0.2", 6379, 4)
STRAY = Master("10.0.0.9", 6379, 3)


@pytest.mark.parametrize(
    ("answers", "master"),
    [
        ([Answer("a", OLD), Answer("b", OLD)], OLD),
        ([Answer("a", OLD), Answer("b", NEW), Answer("c", OLD)], NEW),
        ([Answer("a", STRAY), Answer("b", OLD), Answer("c", OLD)], OLD),
        ([Answer("a", None, "no answer"), Answer("b", OLD)], OLD),
        ([Answer("a", None, "o_down"), Answer("b", NEW)], NEW),
        ([Answer("a", None, "busy", failover_epoch=3), Answer("b", NEW)], NEW),
    ],
)
def test_highest_config_epoch_counts(answers: list[Answer], master: Master) -> None:
    """A Sentinel that was away still names the old master, or still leads a failover that is over."""
    assert choose("mymaster", answers) == master


def test_master_about_to_be_replaced_is_none() -> None:
    """What it still acknowledges would be lost, whoever else takes it for the master."""
    with pytest.raises(FailingOver, match="mymaster"):
        choose("mymaster", [Answer("a", OLD), Answer("b", None, "busy", failover_epoch=3)])


LEADS = Answer("b", None, "busy", failover_epoch=3)
SILENT = Answer("b", None, "no answer", heard=False)


@pytest.mark.parametrize("silent", [[SILENT], []], ids=["says nothing", "was not even asked"])
def test_a_failover_goes_on_while_its_leader_is_silent(silent: list[Answer]) -> None:
    """The others name the old master to the end; for ten seconds after the leader was heard last they are not believed."""
    failovers = Failovers()
    assert failovers.complete([Answer("a", OLD), LEADS], now=100.0) == [Answer("a", OLD), LEADS]
    with pytest.raises(FailingOver):
        choose("mymaster", failovers.complete([Answer("a", OLD), *silent], now=109.9))
    assert choose("mymaster", failovers.complete([Answer("a", NEW), *silent], now=109.9)) == NEW
    assert choose("mymaster", failovers.complete([Answer("a", OLD), *silent], now=110.0)) == OLD


def test_a_failover_that_its_leader_gave_up_is_over() -> None:
    """Its word counts as soon as it is heard again."""
    failovers = Failovers()
    failovers.complete([LEADS], now=100.0)
    failovers.complete([Answer("b", OLD)], now=101.0)
    assert choose("mymaster", failovers.complete([Answer("a", OLD), SILENT], now=102.0)) == OLD


def test_a_failover_is_known_from_its_beginning() -> None:
    """A leader that says that it begins one, and then is too busy to be asked, is believed as well."""
    failovers = Failovers()
    failovers.announce("b", 3, now=100.0)
    with pytest.raises(FailingOver):
        choose("mymaster", failovers.complete([Answer("a", OLD), SILENT], now=100.1))


def test_what_was_said_before_a_known_failover_is_not_believed() -> None:
    """The only Sentinel that answers may be the one that was away."""
    assert choose("mymaster", [Answer("a", NEW), Answer("b", OLD)], known=4) == NEW
    with pytest.raises(Behind, match=r"config epoch 3, known is 4"):
        choose("mymaster", [Answer("a", None, "no answer"), Answer("b", OLD)], known=4)


def test_no_master_is_explained() -> None:
    """Each Sentinel's reason is there to be read."""
    answers = [Answer("a:1", None, "no answer within 0.15 s"), Answer("b:2", None, "s_down")]
    with pytest.raises(StoreUnavailable, match=r"a:1: no answer within 0\.15 s; b:2: s_down"):
        choose("mymaster", answers)


@pytest.mark.parametrize(
    ("flags", "address", "usable"),
    [
        ("master", "10.0.0.1", True),
        ("master,disconnected", "10.0.0.1", True),
        ("s_down,master", "10.0.0.1", False),
        ("s_down,o_down,master", "10.0.0.1", False),
        ("master,failover_in_progress", "10.0.0.1", False),
        ("master,failover_in_progress", "10.0.0.2", True),
        ("s_down,o_down,master,failover_in_progress", "10.0.0.2", True),
    ],
)
def test_flags(flags: str, address: str, usable: bool) -> None:  # noqa: FBT001
    """A master that is down or being replaced is none; a promoted server is one at once."""
    fields = ["ip", "10.0.0.1", "port", "6379", "flags", flags, "config-epoch", "7"]
    answer = read_answer("a", [text.encode() for text in fields], [address.encode(), b"6379"])
    assert answer.master == (Master(address, 6379, 7) if usable else None)
    assert (answer.failover_epoch == 7) == (not usable and "failover" in flags)
