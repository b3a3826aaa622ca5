"""What is written to Redis and read back, rubbish included."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.core.errors import NewerSchema, WireError
from hachat.core.messages import (
    Answer,
    Event,
    Inbound,
    Job,
    Message,
    Operation,
    Reply,
    Room,
    User,
    Webhook,
)
from hachat.core.wire import (
    MAX_ENVELOPE,
    MAX_TEXT,
    VERSION,
    clean_text,
    decode_answer,
    decode_inbound,
    decode_reply,
    encode,
)

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
moments = st.floats(allow_nan=False, allow_infinity=False)
maps = st.dictionaries(words, words, max_size=3)
rooms = st.builds(Room, words, words, words, st.booleans())
versions = st.integers(min_value=0, max_value=VERSION)
messages = st.builds(
    Message,
    *(words, rooms, st.builds(User, words, words), words, moments),
    event=words,
    thread=words,
    receipt=st.booleans(),
    key=words,
    attempt=st.integers(0, 9),
    only=st.lists(words, max_size=3).map(tuple),
    v=versions,
)
webhooks = st.builds(
    Webhook,
    *(words, words, words, words, moments),
    body=words,
    variables=maps,
    query=maps,
    headers=maps,
    event=words,
    attempt=st.integers(0, 9),
    v=versions,
)
jobs = st.builds(Job, words, words, moments, words, st.integers(0, 9), words, versions)
events = st.builds(
    Event,
    *(words, words, moments, words),
    room=st.none() | st.builds(Room, words, words),
    user=st.none() | st.builds(User, words, words),
    data=maps,
    event=words,
    attempt=st.integers(0, 9),
    v=versions,
)
replies = st.builds(
    Reply,
    *(words, words, words, st.sampled_from(get_args(Operation)), words, words),
    origin=words,
    args=maps,
    answer=words,
    v=versions,
)
answers = st.builds(
    Answer,
    *(words, words, st.lists(st.builds(User, words, words), max_size=3).map(tuple), words),
    supported=st.booleans(),
    v=versions,
)

NESTED = b'{"kind":"message","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@given(messages | webhooks | jobs | events)
def test_an_inbound_value_comes_back_as_it_was(value: Inbound) -> None:
    """Every message, webhook, job and event survives the way through Redis."""
    assert decode_inbound(encode(value)) == value


@given(replies)
def test_a_reply_comes_back_as_it_was(value: Reply) -> None:
    """Every reply survives the way through Redis."""
    assert decode_reply(encode(value)) == value


@given(answers)
def test_an_answer_comes_back_as_it_was(value: Answer) -> None:
    """Every answer to a call survives the way through Redis."""
    assert decode_answer(encode(value)) == value


@given(messages | webhooks | jobs | events | replies | answers)
def test_an_envelope_says_which_schema_it_needs(value: Inbound | Reply | Answer) -> None:
    """Whoever does not know its kind finds the number all the same; where there is none, it is 1."""
    assert msgspec.json.decode(encode(value)).get("v", 1) == value.v


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
envelopes = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("kind", "id", "room", "text", "v", "at", "user"), json_values)
)


@given(st.binary() | envelopes.map(lambda fields: json.dumps(fields).encode()))
def test_rubbish_is_an_error_of_ours(data: bytes) -> None:
    """Whatever is found in a queue, the reader hears of nothing but WireError."""
    for decode in (decode_inbound, decode_reply, decode_answer):
        with suppress(WireError):
            decode(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b'{"kind":"x"}', b'{"id":"\xff","room":"t/a"}', NESTED],
    ids=["empty", "null", "list", "unknown kind", "not UTF-8", "nested"],
)
def test_known_rubbish_is_refused(data: bytes) -> None:
    """Each kind of what is no envelope is named as such, JSON nested beyond all measure included."""
    with pytest.raises(WireError, match="not an envelope"):
        decode_inbound(data)
    with pytest.raises(WireError, match="not an envelope"):
        decode_reply(data)


def stored(value: Inbound | Reply, **fields: Any) -> bytes:
    """Return the envelope of `value` with fields of another release."""
    return msgspec.json.encode({**msgspec.json.decode(encode(value)), **fields})


MESSAGE = Message("m1", Room("t", "a"), User("u"), "hi", 1.0)
REPLY = Reply("m1/r/1", "t/a", "hi")


def test_a_newer_schema_is_refused_by_name() -> None:
    """A release does not half understand what a later one wrote."""
    with pytest.raises(WireError, match=f"m1: schema {VERSION + 1} is newer than {VERSION}"):
        decode_inbound(stored(MESSAGE, v=VERSION + 1))
    with pytest.raises(WireError, match="m1/r/1: schema 99"):
        decode_reply(stored(REPLY, v=99))


def test_what_only_a_newer_release_knows_is_recognised_as_its() -> None:
    """Of a newer schema nothing but its number need be understood; without one, an unknown kind is rubbish."""
    alien = {"kind": "poll", "id": "p1", "options": [1, 2], "v": VERSION + 1}
    with pytest.raises(NewerSchema) as error:
        decode_inbound(msgspec.json.encode(alien))
    assert error.value.schema == VERSION + 1
    with pytest.raises(WireError, match="not an envelope") as rubbish:
        decode_inbound(msgspec.json.encode({**alien, "v": 1}))
    assert not isinstance(rubbish.value, NewerSchema)


def test_unknown_fields_are_ignored() -> None:
    """Two releases can share one queue."""
    assert decode_inbound(stored(MESSAGE, mood="fine")) == MESSAGE
    assert decode_reply(stored(REPLY, mood={"deep": [1]})) == REPLY


def test_too_large_an_envelope_is_refused() -> None:
    """The limit is on the bytes that are stored."""
    with pytest.raises(WireError, match=f"at most {MAX_ENVELOPE}"):
        encode(msgspec.structs.replace(REPLY, text="x" * MAX_ENVELOPE))


def test_what_is_no_text_cannot_be_queued() -> None:
    """A lone surrogate in a field nobody cleaned is an error of ours."""
    with pytest.raises(WireError, match="surrogate"):
        encode(msgspec.structs.replace(MESSAGE, user=User("u", "\ud800")))


def measure(text: str) -> int:
    """Return the bytes of `text` in an envelope, without its quotes."""
    return len(msgspec.json.encode(text)) - 2


mixed = st.builds(
    lambda start, unit, times: start + unit * times,
    st.text(max_size=5),
    st.text(min_size=1, max_size=3),
    st.integers(min_value=0, max_value=MAX_TEXT),
)


@given(mixed)
def test_clean_text_always_fits(text: str) -> None:
    """Whatever is said is a beginning of what was said, less its surrogates, and bounded as it is stored."""
    clean = clean_text(text)

    assert measure(clean) <= MAX_TEXT
    assert text.encode("utf-8", "replace").decode().startswith(clean)
    encode(msgspec.structs.replace(REPLY, text=clean))


@pytest.mark.parametrize(
    ("character", "size"), [("x", 1), ("\n", 2), ("é", 2), ("\x01", 6), ("\N{ROBOT FACE}", 4)]
)
def test_clean_text_keeps_as_much_as_fits(character: str, size: int) -> None:
    """Text of any one character is cut at the last that fits, and not before."""
    assert clean_text(character * MAX_TEXT) == character * (MAX_TEXT // size)


def test_clean_text_replaces_surrogates() -> None:
    """Half a character is shown as missing; all else stays."""
    assert clean_text("a\ud800b") == "a?b"
    assert clean_text("") == ""
