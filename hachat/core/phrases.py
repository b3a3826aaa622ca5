"""English sentences of ours that may have to be said in another language, made where no language is known.

`hachat.bot.texts` knows the languages.  What is told to operators stays English.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Self

Say = Callable[..., str]
"""Says a sentence, with the values that it names in braces: `say_english`, or the same in another language."""


def say_english(sentence: str, /, **values: object) -> str:
    """Return `sentence` with `values` in the places that it names in braces."""
    return sentence.format(**values)


class Phrase(str):
    """A sentence with `values` in the places that it names in braces; it remembers both, so that it can be translated.

    Whatever else is done with it, it is plain text.
    """

    __slots__ = ("sentence", "values")

    sentence: str
    values: Mapping[str, object]

    def __new__(cls, sentence: str, /, **values: object) -> Self:
        """Return the sentence in English."""
        phrase = super().__new__(cls, sentence.format(**values))
        phrase.sentence, phrase.values = sentence, values
        return phrase


def find_phrase(error: Exception) -> str:
    """Return what an error says, as the phrase that it was made of, if it was."""
    phrase = error.args[0] if error.args else ""
    return phrase if isinstance(phrase, Phrase) else str(error)


def join_phrases(phrases: Iterable[str], between: str = "; ") -> str:
    """Return `phrases` with something `between` them, nothing for none."""
    joined = ""
    for phrase in phrases:
        pair = f"{{first}}{between}{{second}}"
        joined = Phrase(pair, first=joined, second=phrase) if joined else phrase
    return joined


def gettext_noop(sentence: str) -> str:
    """Return `sentence` as it stands; it is translated where it is said."""
    return sentence


def write_plain(value: object) -> str:
    """Return a phrase as the plain text that it is: an `enc_hook` for msgspec.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, Phrase):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written")
