"""The Lua scripts as files: found, named by their hash, and explained."""

from __future__ import annotations

import re
from hashlib import sha1
from importlib.resources import files

import pytest

from hachat.store.link import Link
from hachat.store.scripts import load

NAMES = sorted(
    file.name.removesuffix(".lua")
    for file in files("hachat.store.scripts").iterdir()
    if file.name.endswith(".lua")
)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_says_what_it_takes_and_answers(name: str) -> None:
    """Its first lines tell what it does, its keys and its answers, as far as it uses them."""
    text = load(name).text
    header = text.partition("\n\n")[0]

    assert header.startswith("-- ")
    assert "-- KEYS  1 " in header
    assert "-- =>    " in header
    assert ("-- ARGV  1 " in header) == ("ARGV[" in text)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_counts_its_arguments_as_announced(name: str) -> None:
    """Every key and argument the text uses by number is one its header lists."""
    header, _, body = load(name).text.partition("\n\n")
    for kind in ("KEYS", "ARGV"):
        used = {int(number) for number in re.findall(rf"{kind}\[(\d+)\]", body)}
        lines = header.partition(f"-- {kind}  ")[2]
        announced = {int(number) for number in re.findall(r"(?:^|\s)(\d+)(?:\.\.)? ", lines)}
        assert used <= announced


@pytest.mark.parametrize("name", NAMES)
async def test_the_server_knows_a_script_by_our_hash(name: str, link: Link) -> None:
    """It compiles, and EVALSHA will find what EVAL has taught."""
    script = load(name)

    assert await link.command("SCRIPT", "LOAD", script.text) == script.sha.encode()


def test_the_hash_is_that_of_the_text() -> None:
    """A script is what its bytes are."""
    script = load("beat")

    assert script.name == "beat"
    assert script.sha == sha1(script.text.encode(), usedforsecurity=False).hexdigest()


def test_a_script_that_is_not_there_is_missed_at_once() -> None:
    """A misspelt name fails on import and not in production."""
    with pytest.raises(FileNotFoundError):
        load("no_such_script")


@pytest.mark.parametrize("name", NAMES)
async def test_a_script_is_known_to_write_or_only_to_read(name: str, link: Link) -> None:
    """Replicas confirm what a script writes; one that reads waits for none, so it must not write at all."""
    script = load(name)
    commands = sorted(set(re.findall(r"redis\.p?call\('(\w+)'", script.text)))

    found = await link.command("COMMAND", "INFO", *commands)

    assert script.reads == (not any(b"write" in flags for _, _, flags, *_ in found))
