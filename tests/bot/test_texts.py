"""What is said in which language."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from hachat.bot.texts import own_texts, texts_of
from hachat.core.errors import HandlerError
from hachat.core.phrases import Phrase

_GERMAN = """
msgid ""
msgstr ""
"Language: de\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "Hello, {name}!"
msgstr "Guten Tag, {name}!"

msgid "{number} build waits"
msgid_plural "{number} builds wait"
msgstr[0] "{number} Build wartet"
msgstr[1] "{number} Builds warten"
"""

_AUSTRIAN = _GERMAN.replace("Guten Tag", "Servus").replace("Language: de", "Language: de_AT")


@pytest.fixture
def owner(tmp_path: Path) -> type:
    """A class whose module has catalogues beside it."""
    (tmp_path / "builds.py").write_text("class Builds: ...")
    (tmp_path / "locales").mkdir()
    (tmp_path / "locales" / "de.po").write_text(_GERMAN)
    (tmp_path / "locales" / "de_AT.po").write_text(_AUSTRIAN.partition('msgid "{number}')[0])
    spec = spec_from_file_location("texts_builds", tmp_path / "builds.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    cls: type = module.Builds
    return cls


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("de", "Guten Tag, Ada!"),
        ("de_AT", "Servus, Ada!"),
        ("de_CH", "Guten Tag, Ada!"),
        ("en", "Hello, Ada!"),
        ("fr", "Hello, Ada!"),
    ],
)
def test_a_text_is_translated(language: str, said: str, owner: type) -> None:
    """Into the language, or what it is a kind of, or else it is English."""
    assert texts_of(owner, language).say("Hello, {name}!", name="Ada") == said


@pytest.mark.parametrize(
    ("language", "number", "said"),
    [
        ("de", 1, "1 Build wartet"),
        ("de", 3, "3 Builds warten"),
        ("de_AT", 0, "0 Builds warten"),
        ("en", 1, "1 build waits"),
        ("en", 2, "2 builds wait"),
    ],
)
def test_numbers_have_the_forms_of_the_language(
    language: str, number: int, said: str, owner: type
) -> None:
    """By the rule in the catalogue."""
    texts = texts_of(owner, language)
    assert texts.count("{number} build waits", "{number} builds wait", number) == said


def test_what_users_say_is_no_text_of_ours(owner: type) -> None:
    """Braces in a value stay as they are."""
    said = texts_of(owner, "de").say("Hello, {name}!", name="{name.__class__}")
    assert said == "Guten Tag, {name.__class__}!"


@pytest.mark.parametrize("content", [b"rubbish", b'msgid "\xff"', b'msgid "a"\nmsgstr[x] "b"'])
def test_a_broken_catalogue_is_named(content: bytes, owner: type, tmp_path: Path) -> None:
    """With its place."""
    (tmp_path / "locales" / "it.po").write_bytes(content)
    with pytest.raises(HandlerError, match=r"it\.po cannot be read"):
        texts_of(owner, "it")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "I know no user called bob."),
        ("de", "Ich kenne keinen Benutzer namens bob."),
        ("de_AT", "Ich kenne keinen Benutzer namens bob."),
        ("fr", "I know no user called bob."),
    ],
)
def test_our_own_texts_are_there(language: str, said: str) -> None:
    """In every language that is shipped."""
    assert own_texts(language).say("I know no user called {name}.", name="bob") == said


def test_what_another_part_has_said_is_translated() -> None:
    """A phrase, those within it, and an error that holds one; whatever else there is stays as it is."""
    texts = own_texts("de")
    phrase = Phrase("nobody could take over: {reasons}", reasons=Phrase("no other node is alive"))

    assert texts.tell(phrase) == "niemand könnte übernehmen: kein anderer Knoten lebt"
    assert texts.tell(ValueError(phrase)) == texts.tell(phrase)
    assert texts.tell(ValueError("no {room}")) == "no {room}"
    assert texts.tell("nobody") == "nobody"


def test_nothing_is_said_for_nothing() -> None:
    """The header of a catalogue is no text."""
    assert own_texts("de").find("") == ""


def test_catalogues_are_shared(owner: type) -> None:
    """By all that read them, and none of these changes what the others find."""
    first, second = texts_of(owner, "de_AT"), texts_of(type("Other", (), {}), "de_CH")

    assert first.say("nobody") == second.say("nobody") == own_texts("de").say("nobody") == "niemand"
    assert first.say("Hello, {name}!", name="Ada") == "Servus, Ada!"
    assert second.say("Hello, {name}!", name="Ada") == "Hello, Ada!"
    assert first.say("not translated") == "not translated"


def test_words_are_understood_in_both_languages() -> None:
    """Each once, those of the language first."""
    words = "no, n, nope, don't"

    assert own_texts("de").list_words(words)[:2] == ("nein", "n")
    assert {"nein", *words.split(", ")} <= {*own_texts("de").list_words(words)}
    assert own_texts("en").list_words(words) == ("no", "n", "nope", "don't")
