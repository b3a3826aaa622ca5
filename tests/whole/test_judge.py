"""The judge of the torture finds what it is there to find."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tests.whole.judge import Ask, Judgement, Key, Promise, Told, find_number, judge, read_logs
from tests.whole.network import Spoken

ASKS = [Ask(1, "#a", times=2), Ask(2, "#b"), Ask(3, "#a")]


def hear(*texts: str, room: str = "#a", told: Told | None = None, terms: int = 2) -> Judgement:
    """Judge what was said in a room, where the three of `ASKS` were asked for; in #b all is well."""
    record = [Spoken(0.0, room, text) for text in texts] + [Spoken(0.0, "#b", "2.1")]
    return judge(ASKS, record, told or Told(), Promise(), terms=terms)


def test_all_is_well_when_each_was_said_once_and_in_order() -> None:
    """Rooms are judged one by one: between them there is no order."""
    assert hear("1.1", "1.2", "3.1").fine


def test_what_was_not_said_is_lost() -> None:
    """One reply of several is enough to be missed."""
    assert hear("1.1", "3.1").lost == [Key(1, 2)]


def test_what_nobody_asked_for_is_strange() -> None:
    """Neither a reply too many nor a text of unknown origin passes."""
    assert sorted(hear("1.1", "1.2", "1.3", "3.1", "what?").strange) == ["1.3", "what?"]


def test_what_came_too_early_is_out_of_order() -> None:
    """The pair of neighbours that stand the wrong way round is named."""
    assert hear("1.1", "3.1", "1.2").disordered == [(Key(3, 1), Key(1, 2))]


def test_a_repetition_without_a_doubt_is_doubled() -> None:
    """Nobody said that it might happen."""
    judgement = hear("1.1", "1.2", "1.1", "3.1")

    assert judgement.doubled == [Key(1, 1)]
    assert not judgement.disordered


def test_a_repetition_in_doubt_is_allowed_once_for_each_doubt() -> None:
    """As often as a master said so, and no oftener."""
    doubt = Told(doubts={Key(1, 1): 1})

    assert hear("1.1", "1.1", "1.2", "3.1", told=doubt).fine
    assert hear("1.1", "1.1", "1.1", "1.2", "3.1", told=doubt).doubled == [Key(1, 1)]


def test_a_room_has_one_doubt_for_each_term_that_ended() -> None:
    """Two rooms may both have one; one room may not have two."""
    doubts = Told(doubts={Key(1, 1): 1, Key(1, 2): 1})
    said = ("1.1", "1.1", "1.2", "1.2", "3.1")

    assert hear(*said, told=doubts, terms=2).excessive == ["#a"]
    assert hear(*said, told=doubts, terms=3).fine


@pytest.mark.parametrize(
    ("promise", "texts"),
    [
        (Promise(), ["Sorry, that went wrong (id ab12).", "2.1"]),
        (Promise(retries=True), ["Sorry, that went wrong (id ab12).", "2.1", "1.1"]),
    ],
)
def test_a_failure_is_told_and_with_retries_made_good(
    promise: Promise, texts: Sequence[str]
) -> None:
    """The apology is expected in its turn; the answer only where it is promised, and then at any time."""
    asks = [Ask(1, "#a", fails=True), Ask(2, "#a")]
    record = [Spoken(0.0, "#a", text) for text in texts]
    told = Told({"ab12": 1})

    assert judge(asks, record, told, promise).fine
    assert judge(asks, record[1:], told, promise).lost == [Key(1, 0)]


def test_what_takes_longer_than_the_patience_has_no_place_in_the_order() -> None:
    """Nor has a webhook; but the replies to one message are in order always."""
    slow = Told(seconds={1: 2.0})
    asks = [Ask(1, "#a", times=2), Ask(2, "#a"), Ask(3, "#a", hook=True)]
    record = [Spoken(0.0, "#a", text) for text in ("3.1", "2.1", "1.1", "1.2")]

    assert judge(asks, record, slow, Promise(patience=0.5)).fine
    assert judge(asks, record, slow, Promise()).disordered
    swapped = [*record[:2], record[3], record[2]]
    assert judge(asks, swapped, slow, Promise(patience=0.5)).disordered


def test_logs_tell_which_message_was_which_number_and_what_was_in_doubt() -> None:
    """Replies in doubt are known by their message's id, their route and their place."""
    doubt = "in doubt whether a reply was sent"
    lines = [
        json.dumps({"event": "counting", "message": "ab12", "number": 7}),
        json.dumps({"event": "counted", "message": "ab12", "number": 7, "seconds": 1.5}),
        json.dumps({"event": doubt, "reply": "ab12/count.count/2"}),
        json.dumps({"event": doubt, "reply": "ab12/robot/1"}),
        json.dumps({"event": doubt, "reply": "unknown/count.count/1"}),
        "Traceback",
    ]

    assert read_logs(lines) == Told({"ab12": 7}, {7: 1.5}, {Key(7, 2): 1, Key(7, 0): 1})


def test_what_took_too_many_nodes_along_is_not_lost() -> None:
    """It is a dead letter, as promised; one that has another reason is none of these."""
    assert hear("3.1", told=Told(given_up={1})).fine
    reason = "reason 3 nodes died while handling it"

    assert find_number(f'{{"text":"hachat: count 12 1 0.1"}} {reason}') == 12
    assert find_number(f'{{"body":"{{\\"number\\":34,\\"room\\":0}}"}} {reason}') == 34
    assert find_number('{"text":"hachat: count 12 1 0.1"} reason it is too old') is None
