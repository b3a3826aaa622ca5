"""The catalogues that are shipped: each says all that hachat says by itself, and nothing else.

Whoever translates hachat into another language runs this: `python -m pytest tests/bot/test_locales.py`.
"""

from __future__ import annotations

from string import Formatter
from typing import Any, TypeAlias, cast

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from hachat.bot.texts import own_texts
from tests.bot.sentences import ROOT, Sentence, find_sentences

LOCALES = ROOT / "bot" / "locales"
LANGUAGES = sorted(path.stem for path in LOCALES.glob("*.po"))

SENTENCES = find_sentences()


Found: TypeAlias = dict[Sentence, tuple[str, ...]]
"""The forms of each sentence's translation, one unless there is a number in it."""


def read(language: str) -> tuple[Catalog, Found]:
    """Return a catalogue, and what stands in it."""
    with (LOCALES / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    found: Found = {}
    for message in catalogue:
        said: Any = message.id  # babel's types allow more than it reads
        if said:
            found[said] = list_forms(cast("Any", message.string))
    return catalogue, found


def list_forms(said: Sentence) -> tuple[str, ...]:
    """Return the forms of what is said."""
    return (said,) if isinstance(said, str) else said


def list_names(text: str) -> set[str]:
    """Return the names of the values that a text has places for."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_there_is_german() -> None:
    """And every catalogue is named after a language."""
    assert "de" in LANGUAGES
    assert [Locale.parse(language).language for language in LANGUAGES]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_is_complete(language: str) -> None:
    """It has every sentence once, none that is not said any more, and none that is unsure or empty."""
    catalogue, messages = read(language)

    assert sorted(map(str, SENTENCES - messages.keys())) == [], "to be translated"
    assert sorted(map(str, messages.keys() - SENTENCES)) == [], "not said any more"
    assert not catalogue.obsolete
    assert [message.id for message in catalogue if message.fuzzy and message.id] == []
    assert [said for said, forms in messages.items() if not all(forms)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_have_as_many_forms_as_the_language(language: str) -> None:
    """By its header, which tells the rule that the language has."""
    catalogue, messages = read(language)
    numbers = [forms for said, forms in messages.items() if isinstance(said, tuple)]

    assert catalogue.num_plurals == Catalog(locale=language).num_plurals
    assert numbers
    assert {*map(len, numbers)} == {catalogue.num_plurals}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_places_of_the_sentence(language: str) -> None:
    """None is left out and none made up, and what fits into the English ones fits into these."""
    _, messages = read(language)
    for said, translated in messages.items():
        places = {name for form in list_forms(said) for name in list_names(form)}
        for form in translated:
            assert list_names(form) == places, form
            assert form.format(**dict.fromkeys(places, 7)), form


@pytest.mark.parametrize("language", LANGUAGES)
def test_commands_keep_their_names(language: str) -> None:
    """A line of the help says how a command is written, and then what it does."""
    texts = own_texts(language)
    for line in filter(lambda said: isinstance(said, str) and " -- " in said, SENTENCES):
        assert isinstance(line, str)
        words, dashes, explanation = texts.find(line).partition(" -- ")
        plain = [word for word in line.partition(" -- ")[0].split() if word.islower()]
        assert words.split()[: len(plain)] == plain
        assert dashes
        assert explanation


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_mean_one_thing(language: str) -> None:
    """What is a yes is no no, and ends no question; the English ones are understood as well."""
    texts = own_texts(language)
    for words in (
        ["yes, y, ok, sure, do it", "no, n, nope, don't", "cancel, never mind, nevermind"],
        ["yes, y, true, on, 1", "no, n, false, off, 0"],
    ):
        lists = [texts.list_words(listed) for listed in words]
        understood = [word for listed in lists for word in listed]
        assert len(understood) == len({*understood})
        assert understood == [" ".join(word.casefold().split()) for word in understood]
        for english, listed in zip(words, lists, strict=True):
            assert {*english.split(", ")} <= {*listed}
