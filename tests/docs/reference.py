"""`python -m tests.docs.reference` writes docs/reference.md from the docstrings of what handlers are made of."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hachat
import hachat.testing

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"

_HEAD = """# Reference

What `from hachat import ...` and `from hachat.testing import ...` bring, from their docstrings. [Writing handlers](handlers.md) explains it,
with examples. This page is written by `make reference`.
"""

_SECTION = re.compile(r"^(Args|Raises|Returns|Attributes):$", re.MULTILINE)


def write() -> str:
    """Return the page."""
    names = [name for name in hachat.__all__ if not name.startswith("_")]
    parts = [_HEAD, *(_describe(name, getattr(hachat, name)) for name in names)]
    parts += ["# Reference of the test kit\n"]
    parts += [_describe(name, getattr(hachat.testing, name)) for name in hachat.testing.__all__]
    return "\n".join(parts)


def _describe(name: str, value: Any) -> str:
    if not inspect.isclass(value) and not inspect.isfunction(value):
        value = type(value)  # such as `hook`: what it can do is said by its class
        return f"## `{name}`\n\n{_read(value)}\n"
    lines = [f"## `{name}{_sign(value)}`\n", f"{_read(value)}\n"]
    if inspect.isclass(value):
        for member, described in _list_members(value):
            lines += [f"### `{name}.{member}`\n", f"{described}\n"]
    return "\n".join(lines)


def _list_members(owner: type) -> Iterator[tuple[str, str]]:
    """Yield the public members of a class that have a docstring, those of its bases too, in their order."""
    seen: set[str] = set()
    for cls in owner.__mro__:
        if not cls.__module__.startswith("hachat"):
            continue
        for name, raw in vars(cls).items():
            if name.startswith("_") or name in seen:
                continue
            seen.add(name)
            member = raw.__func__ if isinstance(raw, classmethod | staticmethod) else raw
            get = getattr(member, "fget", None) or getattr(member, "func", None)
            if get is not None and get.__doc__:
                yield name, _read(get)
            elif inspect.isfunction(member) and member.__doc__:
                yield f"{name}{_sign(member)}", _read(member)


def _sign(value: Any) -> str:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    parameters = [p for p in signature.parameters.values() if p.name != "self"]
    if inspect.isclass(value) and parameters and parameters[0].name in {"args", "inbound"}:
        return ""  # nobody makes one
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    return str(inspect.Signature(plain))


def _read(value: Any) -> str:
    """Return a docstring as markdown."""
    text = inspect.cleandoc(value.__doc__ or "")
    return _SECTION.sub(r"*\1:*\n", text).replace("\n    ", "\n* ")


if __name__ == "__main__":
    PAGE.write_text(write())
