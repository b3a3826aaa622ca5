"""What the bot says in which language: catalogues of gettext, read from the `.po` files that translators edit.

An English text in the code is its own key.  A catalogue is `locales/<language>.po` beside the module whose texts it has, for hachat's own and
for those of any handler.  A text that is not translated is looked for in the language without its territory (`de_AT`, `de`), and is
English otherwise.  https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html describes the format, plural rules included.
"""

from __future__ import annotations

import inspect
from copy import copy
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

from hachat.core.errors import HandlerError
from hachat.core.phrases import Phrase, find_phrase

T = TypeVar("T")

FOLDER = "locales"
"""The folder beside a module."""


class Texts:
    """The texts of one module in one language."""

    def __init__(self, *catalogues: NullTranslations) -> None:
        self._found = NullTranslations()
        for catalogue in catalogues:
            self._found.add_fallback(copy(catalogue))  # each is changed by those that come after it

    def find(self, text: str) -> str:
        """Return `text`, translated, as it stands."""
        return (
            self._found.gettext(text) if text else ""
        )  # gettext has its header under the empty text

    def say(self, text: str, /, **values: object) -> str:
        """Return `text`, translated, with `values` in the places that it names in braces; those that are phrases, translated too."""
        told = {name: self.tell(value) for name, value in values.items()}
        return self.find(text).format(**told)

    def tell(self, said: T) -> T | str:
        """Return what another part of hachat has said: translated if it is a phrase, or an error that holds one."""
        if isinstance(said, Phrase):
            return self.say(said.sentence, **said.values)
        if isinstance(said, Exception):
            return self.tell(find_phrase(said))
        return said

    def list_words(self, words: str) -> tuple[str, ...]:
        """Return the `words`, which have commas between them, as the language has them, and then those that are English only."""
        both = f"{self.find(words)}, {words}"
        return tuple(dict.fromkeys(word.strip() for word in both.split(",")))

    def count(self, one: str, other: str, number: float, /, **values: object) -> str:
        """Return the form for `number` that the language has, with `{number}` and `values` in their places."""
        return self._found.ngettext(one, other, number).format(number=number, **values)  # type: ignore[arg-type]  # typeshed asks for int


ENGLISH = Texts()
"""What stands in the code."""


@lru_cache(maxsize=1024)
def texts_of(owner: type, language: str) -> Texts:
    """Return the texts of a class, those beside its module first, then hachat's own.

    Raises:
        HandlerError: a catalogue cannot be read; says where.
    """
    folders = dict.fromkeys([*_find_folder(owner), _OWN])
    return Texts(
        *(
            _read(folder / f"{name}.po")
            for folder in folders
            for name in _widen(language)
            if (folder / f"{name}.po").is_file()
        )
    )


def speaks(language: str) -> bool:
    """Tell whether hachat's own texts are there in a language."""
    names = _widen(language)
    return "en" in names or any((_OWN / f"{name}.po").is_file() for name in names)


_OWN = Path(__file__).parent / FOLDER


def _find_folder(owner: type) -> list[Path]:
    try:
        return [Path(inspect.getfile(owner)).parent / FOLDER]
    except (TypeError, OSError):  # it was not read from a file
        return []


def _widen(language: str) -> list[str]:
    """Return a language and the one it is a kind of."""
    return list(dict.fromkeys([language, language.partition("_")[0]]))


@lru_cache(maxsize=256)
def _read(path: Path) -> GNUTranslations:
    compiled = BytesIO()
    try:
        with path.open("rb") as file:
            write_mo(compiled, read_po(file, abort_invalid=True))
    except (OSError, ValueError, PoFileError) as error:
        raise HandlerError(f"the catalogue {path} cannot be read: {error}") from error
    compiled.seek(0)
    return GNUTranslations(compiled)


def own_texts(language: str) -> Texts:
    """Return hachat's own texts."""
    return texts_of(Texts, language)
