"""Plain data into typed sections, with every fault found before the first is reported.

A section is a msgspec struct.  Each of its fields is converted on its own, so that one mistake does not hide
the next.  Beyond its types a section may state what cannot work:

* `Meta(extra={"check": f})` on a field: `f(value)` returns what is wrong with the value, or nothing;
* a method `check` on the struct (see `Checked`): what is wrong with values that are fine each on its own.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import (
    Annotated,
    Any,
    Literal,
    Protocol,
    TypeVar,
    get_args,
    get_origin,
    runtime_checkable,
)

import msgspec

from hachat.core.errors import SettingsError
from hachat.core.redaction import is_secret, mask

S = TypeVar("S", bound=msgspec.Struct)

ENVIRONMENT = "HACHAT__"
"""How the names of environment variables that override a setting begin."""

_FAULTY = msgspec.UNSET

_LIKE = 0.6
"""How alike two names must be, from 0 to 1, for one to be suggested for the other."""

_LISTS = (list, tuple, set, frozenset)

_PLAIN_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "nothing",
    "object": "a table",
    "str": "text",
}


class EnvironmentText(str):
    """Text from an environment variable; it may spell a number, a truth value or a list."""

    __slots__ = ()


@runtime_checkable
class Checked(Protocol):
    """A section that knows which of its values cannot work together."""

    def check(self) -> Iterable[str]:
        """Yield a sentence for each fault; asked only when every field by itself is fine."""
        ...


def convert_section(
    data: object,
    kind: type[S],
    path: str,
    *,
    origin: str = "settings",
    faults: Sequence[str] = (),
) -> S:
    """Return the section `kind` that `data` describes.

    Args:
        data: What the settings hold at `path`.
        kind: The struct to fill.
        path: The section's dotted name, such as `chat.irc`; empty for the whole settings.
        origin: Where the data came from, for the error.
        faults: What was found wrong earlier, to be reported with the rest.

    Raises:
        SettingsError: with all faults.
    """
    walk = _Walk(faults, list(list_paths(kind, path)))
    section: S = walk.section(data, kind, path)
    if walk.faults:
        raise SettingsError(walk.faults, origin)
    return section


def list_paths(kind: type[msgspec.Struct], path: str = "") -> Iterator[str]:
    """Yield the dotted name of every setting and subsection of `kind`."""
    for field in msgspec.structs.fields(kind):
        where = join(path, field.encode_name)
        yield where
        if _is_section(field.type):
            yield from list_paths(field.type, where)


def read_secrets(
    data: Mapping[str, Any], read: Callable[[str], str], faults: list[str], path: str = ""
) -> dict[str, Any]:
    """Return `data` with every `<secret>_file` replaced by a `<secret>` holding what `read` found there.

    What cannot be read is added to `faults`.
    """
    plain: dict[str, Any] = {}
    for name, value in data.items():
        key, where = str(name), join(path, str(name))
        secret = key.removesuffix("_file")
        if isinstance(value, Mapping):
            plain[key] = read_secrets(value, read, faults, where)
        elif secret == key or not is_secret(secret):
            plain[key] = value
        elif secret in data:
            faults.append(f"{_label(where, value)}: {join(path, secret)} is set too; keep one")
        else:
            plain[secret] = _read_secret(read, value, where, faults)
    return plain


def join(path: str, key: str) -> str:
    """Return the dotted name of `key` in the section `path`."""
    return f"{path}.{key}" if path else key


class _Walk:
    """One pass over the data; a value that is wrong becomes `_FAULTY` and a sentence in `faults`."""

    def __init__(self, faults: Iterable[str], known: Sequence[str]) -> None:
        self.faults = list(faults)
        self._known = known

    def section(self, data: object, kind: type[msgspec.Struct], path: str) -> Any:
        if not isinstance(data, Mapping):
            return self._fault(path, data, f"expected a table, got {_show(path, data)}")
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        for key in [key for key in data if key not in fields]:
            self._unknown(join(path, str(key)), data[key])
        values = {
            field.name: self._value(data[key], field.type, join(path, key))
            for key, field in fields.items()
            if key in data
        }
        for key in [key for key, field in fields.items() if field.required and key not in data]:
            values[key] = self._fault(join(path, key), None, "is required")
        return _FAULTY if _FAULTY in values.values() else self._whole(kind, values, path)

    def _whole(self, kind: type[msgspec.Struct], values: dict[str, Any], path: str) -> Any:
        try:
            section = kind(**values)
        except ValueError as error:  # from the struct's own __post_init__
            return self._fault(path, values, str(error))
        if isinstance(section, Checked):
            self.faults += [f"{path}: {fault}" if path else fault for fault in section.check()]
        return section

    def _value(self, value: object, kind: Any, path: str) -> Any:
        if _is_section(kind):
            return self.section(value, kind, path)
        if get_origin(kind) is dict and isinstance(value, Mapping):
            inner = get_args(kind)[1]
            table = {
                str(key): self._value(entry, inner, join(path, str(key)))
                for key, entry in value.items()
            }
            return _FAULTY if _FAULTY in table.values() else table
        if _is_list_of_sections(kind) and isinstance(value, list):
            inner = get_args(kind)[0]
            entries = [self.section(one, inner, f"{path}[{n}]") for n, one in enumerate(value)]
            return _FAULTY if _FAULTY in entries else tuple(entries)
        return value if kind is Any else self._leaf(value, kind, path)

    def _leaf(self, value: object, kind: Any, path: str) -> Any:
        given = _spell_out(value, kind) if isinstance(value, EnvironmentText) else value
        strict = not isinstance(value, EnvironmentText)
        try:
            converted = msgspec.convert(given, kind, strict=strict)
        except msgspec.ValidationError as error:
            expected, inside = _explain(str(error), kind)
            return self._fault(path + inside, value, f"{expected}, got {_show(path, value)}")
        for check in _checks(kind):
            if wrong := check(converted):
                return self._fault(path, value, f"{wrong}, got {_show(path, value)}")
        return converted

    def _unknown(self, path: str, value: object) -> None:
        if isinstance(value, Mapping) and _is_from_environment(value):
            for key, inner in value.items():
                self._unknown(join(path, str(key)), inner)
            return
        near = _nearest(path, self._known)
        hint = f"; did you mean {_label(near, value)}?" if near else ""
        self._fault(path, value, f"unknown{hint}")

    def _fault(self, path: str, value: object, sentence: str) -> Any:
        self.faults.append(f"{_label(path, value)}: {sentence}")
        return _FAULTY


def _read_secret(read: Callable[[str], str], value: object, path: str, faults: list[str]) -> str:
    try:
        return read(str(value))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        faults.append(f"{_label(path, value)}: cannot read {str(value)!r}: {reason}")
        return ""


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _is_list_of_sections(kind: Any) -> bool:
    return get_origin(kind) is tuple and _is_section(get_args(kind)[0])


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _checks(kind: Any) -> Iterator[Callable[[Any], str]]:
    notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    for note in notes:
        if isinstance(note, msgspec.Meta) and note.extra and "check" in note.extra:
            yield note.extra["check"]


def _spell_out(text: EnvironmentText, kind: Any) -> object:
    if get_origin(_bare(kind)) not in _LISTS:
        return str(text)
    try:
        if text.startswith("["):
            return msgspec.json.decode(str(text))
    except (msgspec.DecodeError, UnicodeError):
        return str(text)
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_from_environment(value: object) -> bool:
    if isinstance(value, Mapping):
        return bool(value) and all(map(_is_from_environment, value.values()))
    return isinstance(value, EnvironmentText)


def _label(path: str, value: object) -> str:
    if _is_from_environment(value):
        return ENVIRONMENT + path.upper().replace(".", "__")
    return path


def _nearest(path: str, known: Sequence[str]) -> str | None:
    # The name counts before its table: a key in the wrong table is as common as a misspelt one.
    def likeness(other: str) -> tuple[float, float]:
        return _likeness(path.rpartition(".")[2], other.rpartition(".")[2]), _likeness(path, other)

    best = max(known, key=likeness, default=None)
    return best if best and likeness(best)[0] > _LIKE else None


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def _explain(message: str, kind: Any) -> tuple[str, str]:
    """Return msgspec's `message` in plain words, and where inside the value it applies."""
    message, _, place = message.partition(" - at `$")
    inside = place.rstrip("`")
    bare = _bare(kind)
    if get_origin(bare) is Literal:
        return f"expected one of {', '.join(map(repr, get_args(bare)))}", inside
    expected = re.sub("`([^`]*)`", _in_plain_words, message.partition(", got ")[0])
    return expected[0].lower() + expected[1:], inside


def _in_plain_words(types: re.Match[str]) -> str:
    return " or ".join(_PLAIN_WORDS.get(name, name) for name in types[1].split(" | "))


def _show(path: str, value: object) -> str:
    return "a value that is not shown" if is_secret(path) else reprlib.repr(mask(value))
