"""What earlier releases wrote is read as they meant it, for ever: their envelopes are kept as they wrote them.

`envelopes/<schema>/` holds envelopes of the release that came with that schema, made by its own code.  The first line of
each is the envelope, the second says what that release read from it, every field spelled out.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from hachat.core.messages import (
    Answer,
    Inbound,
    Job,
    Message,
    Operation,
    Reply,
    Room,
    User,
    Webhook,
)
from hachat.core.wire import VERSION, decode_answer, decode_inbound, decode_reply, encode

FOLDER = Path(__file__).with_name("envelopes")
FILES = sorted(FOLDER.glob("*/*.jsonl"))
NESTED = (dict, list)

Decode = Callable[[bytes], Any]
DECODERS: Mapping[str, Decode] = {"reply": decode_reply, "answer": decode_answer}

each_file = pytest.mark.parametrize(
    "file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}"
)


def load(file: Path) -> tuple[bytes, dict[str, Any]]:
    """Return an envelope, and what it says."""
    envelope, values = file.read_bytes().splitlines()
    return envelope, msgspec.json.decode(values)


def find_decoder(file: Path) -> Decode:
    """Return what reads such an envelope now."""
    return DECODERS.get(file.stem.partition("-")[0], decode_inbound)


def spell(value: Any) -> Any:
    """Return a value as plain data, with whatever is at its default."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(type(value))
        return {field.name: spell(getattr(value, field.name)) for field in fields}
    return [spell(one) for one in value] if isinstance(value, tuple) else value


def choose(read: Any, meant: Any) -> Any:
    """Return of what is `read` now what the earlier release knew of: later ones may have added fields."""
    if isinstance(meant, dict) and isinstance(read, dict):
        return {name: choose(read[name], meant[name]) for name in meant if name in read}
    if isinstance(meant, list) and isinstance(read, list) and len(read) == len(meant):
        return [choose(*pair) for pair in zip(read, meant, strict=True)]
    return read


def check(file: Path, decode: Decode) -> None:
    """Read an envelope as it was meant.

    Raises:
        AssertionError: it says something else now.
        WireError: it cannot be read any more.
    """
    envelope, meant = load(file)
    assert choose(spell(decode(envelope)), meant) == meant


@each_file
def test_it_is_read_as_it_was_meant(file: Path) -> None:
    """Every field has the value that it had for the release that wrote it, those at their defaults too."""
    check(file, find_decoder(file))


@each_file
def test_it_is_written_as_it_was(file: Path) -> None:
    """The release of that schema finds in what is written now what it would have written, under a number that it reads."""
    envelope, meant = load(file)
    now, then = map(msgspec.json.decode, (encode(find_decoder(file)(envelope)), envelope))

    assert now.pop("v", 1) == meant["v"] <= int(file.parent.name)
    then.pop("v", 1)
    assert now == then


@each_file
def test_what_a_later_release_adds_is_ignored(file: Path) -> None:
    """Fields that nobody knows yet change nothing, in the envelope or within it."""
    envelope, _ = load(file)
    later = msgspec.json.decode(envelope)
    for place in (later, later.get("room"), later.get("user")):
        if isinstance(place, dict):
            place["of a later release"] = {"deep": [1]}
    decode = find_decoder(file)

    assert decode(msgspec.json.encode(later)) == decode(envelope)


def test_envelopes_are_kept_as_they_were_written() -> None:
    """A schema's number is never used for something else: envelopes may come to `SHA256SUMS`, none is changed or goes."""
    sums = dict(line.split()[::-1] for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    found = {
        str(file.relative_to(FOLDER)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in FILES
    }

    assert found == sums


def test_every_schema_is_kept() -> None:
    """A new one comes with its envelopes."""
    assert {file.parent.name for file in FILES} == {str(number + 1) for number in range(VERSION)}


def test_every_kind_operation_and_field_is_kept() -> None:
    """Of each there is an envelope that says it, so none can lose its meaning unseen."""
    said: dict[type[msgspec.Struct], set[str]] = defaultdict(set)
    operations = set()
    for file in FILES:
        value = find_decoder(file)(load(file)[0])
        for one in (value, getattr(value, "room", None), getattr(value, "user", None)):
            if isinstance(one, msgspec.Struct):
                said[type(one)] |= set(msgspec.to_builtins(one))
        if isinstance(value, Reply):
            operations.add(value.op)

    assert operations == set(get_args(Operation))
    for kind in (*get_args(Inbound), Reply, Answer, Room, User):
        fields = {field.name for field in msgspec.structs.fields(kind)}
        assert fields - said[kind] <= {"v"}, kind


def alter(kind: type[msgspec.Struct], change: Callable[[dict[str, Any]], None]) -> Decode:
    """Return what reads `kind` in a release that has changed its fields, by name, as (type, default)."""
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = msgspec.field(default_factory=field.default_factory)
        fields[field.name] = (field.type, default)
    change(fields)
    kept = [
        (name, type_) if default is msgspec.NODEFAULT else (name, type_, default)
        for name, (type_, default) in fields.items()
    ]
    altered = msgspec.defstruct("Altered", kept, kw_only=True)
    return msgspec.json.Decoder(altered).decode


def move(fields: dict[str, Any], old: str, new: str) -> None:
    """Give a field another name."""
    fields[new] = fields.pop(old)


CHANGES: Mapping[str, tuple[type[msgspec.Struct], str, Callable[[dict[str, Any]], Any]]] = {
    "renamed": (Message, "message", lambda fields: move(fields, "thread", "topic")),
    "renamed, and in use": (Message, "message", lambda fields: move(fields, "text", "body")),
    "removed": (Message, "message", lambda fields: fields.pop("receipt")),
    "another default": (Reply, "reply", lambda fields: fields.update(op=(str, "post"))),
    "another type": (Webhook, "webhook", lambda fields: fields.update(at=(str, ""))),
    "new, without a default": (
        *(Job, "job"),
        lambda fields: fields.update(priority=(int, msgspec.NODEFAULT)),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_what_a_schema_means_is_noticed(change: str) -> None:
    """Whoever renames, removes or redefines a field, or demands a new one, finds an envelope that says otherwise."""
    kind, stem, how = CHANGES[change]
    files = [file for file in FILES if file.stem.partition("-")[0] == stem]
    check(files[0], alter(kind, lambda _: None))

    def read_all() -> None:
        for file in files:
            check(file, alter(kind, how))

    with pytest.raises((AssertionError, msgspec.ValidationError)):
        read_all()


def test_a_new_field_with_a_default_changes_nothing() -> None:
    """That is how what means the same to older releases is added."""
    decode = alter(Reply, lambda fields: fields.update(mood=(str, "")))

    for file in FILES:
        if find_decoder(file) is decode_reply:
            check(file, decode)
