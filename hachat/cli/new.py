"""`hachat new`: the beginnings of a bot, of a handler, of an adapter or of an extension, with tests that pass."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from string import Template

import click

from hachat.core.errors import UsageError
from hachat.daemon.adapters import BUILTIN

KINDS = ("bot", "handler", "adapter", "extension")

_ENDING = ".tmpl"
_HIDDEN = {"gitignore": ".gitignore"}
"""Files that would do something where they lie here."""


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where to; a folder of that name here."
)
def new(kind: str, name: str, folder: Path | None) -> None:
    """Make the beginnings of a bot, a handler, an adapter or an extension, with tests that pass.

    A bot is a folder with its settings and handlers; any of the others is a package, hachat-NAME, that brings it
    to every bot where it is installed. An extension is middleware: it stands around all that is heard, done and said.
    Nothing that exists is overwritten.
    """
    words = _read_name(name, kind)
    place = folder or Path(words["name"] if kind == "bot" else f"hachat-{words['name']}")
    made = dict(_render(kind, words))
    if taken := [path for path in made if (place / path).exists()]:
        raise UsageError(
            f"{place / taken[0]} exists already; choose another --folder, or move it away"
        )
    for path, text in made.items():
        target = place / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {target}: {error.strerror}") from error
        click.echo(f"made {target}")
    click.echo(f"Next: cd {place} && pytest")


def _read_name(name: str, kind: str) -> Mapping[str, str]:
    """Return what stands for what in the templates."""
    plain = re.sub(r"[\W_]+", "-", name.strip().lower()).strip("-")
    if kind != "bot":
        plain = plain.removeprefix("hachat-")
    if not re.fullmatch(r"[a-z][a-z0-9-]*", plain):
        raise UsageError(
            f"{name!r} makes no name for a module; write letters, digits and dashes, a letter first"
        )
    if "/" in name or (kind == "adapter" and plain in BUILTIN):
        why = "is one of hachat's own" if plain in BUILTIN else "is a path; --folder names one"
        raise UsageError(f"{name!r} {why}")
    parts = plain.split("-")
    return {
        "name": plain,
        "module": "_".join(parts),
        "Class": "".join(part.capitalize() for part in parts),
        "title": " ".join(parts).capitalize(),
    }


def _render(kind: str, words: Mapping[str, str]) -> Iterator[tuple[PurePosixPath, str]]:
    root = files("hachat.scaffolds") / kind
    for path, file in _walk(root, PurePosixPath()):
        name = Template(path.name.removesuffix(_ENDING)).substitute(words)
        text = Template(file.read_text(encoding="utf-8")).substitute(words)
        yield path.with_name(_HIDDEN.get(name, name)), text


def _walk(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _walk(entry, path / entry.name)
        elif entry.name.endswith(_ENDING):
            yield path / entry.name, entry
