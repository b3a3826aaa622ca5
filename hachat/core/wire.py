"""How values are written to Redis: JSON that a person can read and another language can write.

Unknown fields are ignored and new ones have defaults, so two releases share one queue.  Each envelope carries in `v`
the least schema that understands it: what means the same to older releases keeps its old number.  A `v` beyond `VERSION`
is refused by name instead of being half understood, and whoever finds one leaves it to a newer node.  `docs/wire.md` tells
how to add a schema.

======  =================================================================
schema  what needs it
======  =================================================================
1       messages, webhooks, replies
2       jobs; further tries of messages and webhooks; calls with an answer
3       events; replies that are not just said, or are meant for a user
4       messages about which the bot has asked something
======  =================================================================
"""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from typing import TypeVar

import msgspec

from hachat.core.errors import NewerSchema, WireError
from hachat.core.messages import Answer, Inbound, Reply

T = TypeVar("T", Inbound, Reply, Answer)

VERSION = 4
"""The newest envelope schema this release reads."""

MAX_TEXT = 64 * 1024
"""Bytes of chat text that are kept, as JSON writes it; the rest of a longer one is cut off."""

MAX_ENVELOPE = 256 * 1024
"""Bytes of an encoded envelope; a larger one is refused."""

_LONGEST = 6
"""Bytes of a character that JSON writes as an escape."""


class _Probe(msgspec.Struct):
    v: int = 1
    id: str = ""


_encoder = msgspec.json.Encoder()
_probe = msgspec.json.Decoder(_Probe)
_inbound: msgspec.json.Decoder[Inbound] = msgspec.json.Decoder(Inbound)
_reply: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)
_answer: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


def encode(value: Inbound | Reply | Answer) -> bytes:
    """Return `value` as JSON.

    Raises:
        WireError: it is larger than `MAX_ENVELOPE`, or holds what is no text (lone surrogates).
    """
    try:
        data = _encoder.encode(value)
    except UnicodeEncodeError as error:
        raise WireError(f"{value.id!r}: {error}") from error
    if len(data) > MAX_ENVELOPE:
        raise WireError(f"{value.id}: {len(data)} bytes, at most {MAX_ENVELOPE} are queued")
    return data


def decode_inbound(data: bytes) -> Inbound:
    """Return the message, webhook, job or event in `data`.

    Raises:
        NewerSchema: it is one of a newer release.
        WireError: it is none.
    """
    return _checked(_inbound, data)


def decode_reply(data: bytes) -> Reply:
    """Return the reply in `data`.

    Raises:
        NewerSchema: it is one of a newer release.
        WireError: it is none.
    """
    return _checked(_reply, data)


def decode_answer(data: bytes) -> Answer:
    """Return the answer in `data`.

    Raises:
        WireError: it is not one, or of a newer schema.
    """
    return _checked(_answer, data)


def clean_text(text: str) -> str:
    """Return `text` as it can be queued: no lone surrogates, no more than `MAX_TEXT` bytes of JSON."""
    if len(text) * _LONGEST <= MAX_TEXT and text.isascii():  # as nearly always
        return text
    text = text[:MAX_TEXT].encode("utf-8", "replace").decode("utf-8")
    if _measure(text) <= MAX_TEXT:
        return text
    lengths = range(len(text))
    return text[: bisect_right(lengths, MAX_TEXT, key=lambda n: _measure(text[:n])) - 1]


def _measure(text: str) -> int:
    """Return the bytes of `text` within the quotes of JSON."""
    return len(_encoder.encode(text)) - 2


def _checked(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    try:
        value = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _refuse_newer(data)
        raise WireError(f"not an envelope: {error}") from error
    if value.v > VERSION:
        _refuse_newer(data)
    return value


def _refuse_newer(data: bytes) -> None:
    """Raise NewerSchema if `data` says that it is of a newer release, whatever else is in it."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        probe = _probe.decode(data)
        if probe.v > VERSION:
            raise NewerSchema(
                f"{probe.id}: schema {probe.v} is newer than {VERSION}, which this release reads",
                probe.v,
            )
