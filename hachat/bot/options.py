"""The options of a command: `--force`, `--to staging`, `-f`, wherever they stand among its words.

They are the keyword-only parameters of its method.  What is left of the command is what its pattern describes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from hachat.bot.arguments import Kind, convert
from hachat.bot.texts import ENGLISH, Texts

# What is quoted begins a word, or stands behind `=`: the apostrophes of "it's" and "isn't" quote nothing.
_WORD = re.compile(r"""(?:(?<![^\s=])(?:"[^"]*"|'[^']*')|\S)+""")
_QUOTED = re.compile(r"""(?<![^\s=])(?:"([^"]*)"|'([^']*)')""")
_DASH = "\N{EM DASH}"  # what telephones make of two hyphens

DASHES = ("-", _DASH)
"""What an option begins with."""

_OPTION = re.compile(
    rf"(?:--|{_DASH})(?P<long>\w[\w-]*)(?:=(?P<value>.*))?|-(?P<short>[^\W\d_])", re.DOTALL
)
_END = ("--", _DASH)


@dataclass(frozen=True)
class Given:
    """A command without its options, and the options; `fault` says to the user what is wrong with them, `start` is where the first stood."""

    rest: str
    values: Mapping[str, object]
    fault: str = ""
    start: int | None = None


class Options:
    """The options that a command has: the `kinds` of their values by the names of parameters, and which are `required`."""

    def __init__(self, kinds: Mapping[str, Kind], required: frozenset[str] = frozenset()) -> None:
        self._kinds = kinds
        self._required = required
        self._names = {name.replace("_", "-"): name for name in kinds}
        self._letters = {name[0]: name for name in reversed([*kinds])}

    @property
    def usage(self) -> str:
        """How they are written, for the help."""
        return " ".join(self._describe(name) for name in self._kinds)

    def take(self, command: str, texts: Texts = ENGLISH) -> Given:
        """Return `command` without its options, and what they are; after `--` there are none.  `texts` are what faults are told in."""
        said: dict[str, str | bool] = {}
        faults: list[str] = []
        rest, end = "", 0
        start: int | None = None
        words = _WORD.finditer(command)
        for word in words:
            option = _OPTION.fullmatch(word[0])
            if option is None and word[0] not in _END:
                continue
            rest += command[end : word.start()].rstrip()
            end = word.end()
            start = word.start() if start is None else start
            if option is None:
                break
            try:
                end = self._read(option, words, end, said, texts)
            except ValueError as error:
                faults.append(str(error))
        rest = (rest + command[end:]).strip()
        return Given(rest, *self._convert(said, faults, texts), start)

    def _convert(
        self, said: Mapping[str, str | bool], faults: list[str], texts: Texts
    ) -> tuple[dict[str, object], str]:
        """Return the values of options, and what is wrong with them."""
        values: dict[str, object] = {}
        for name, text in said.items():
            try:
                values[name] = (
                    convert(_write(name), _unquote(text), self._kinds[name], texts)
                    if isinstance(text, str)
                    else text
                )
            except ValueError as error:
                faults.append(str(error))
        missing = [_write(name) for name in self._kinds if name in self._required - said.keys()]
        if missing:
            listed = f" {texts.say('and')} ".join(missing)
            faults.append(texts.say("{options} must be given.", options=listed))
        return values, faults[0] if faults else ""

    def _read(
        self,
        option: re.Match[str],
        words: Iterator[re.Match[str]],
        end: int,
        said: dict[str, str | bool],
        texts: Texts,
    ) -> int:
        """Note what was said of an option, which may be the next word, and return where that ends."""
        name, on = self._find(option, texts)
        if not on or (option["value"] is None and self._kinds[name] is bool):
            said[name] = on
        elif option["value"] is not None:
            said[name] = option["value"]
        elif word := next(words, None):
            said[name], end = word[0], word.end()
        else:
            raise ValueError(texts.say("{option} needs a value.", option=_write(name)))
        return end

    def _find(self, option: re.Match[str], texts: Texts) -> tuple[str, bool]:
        """Return the parameter that an option stands for, and whether it is not switched off."""
        said = option["long"] or option["short"]
        if option["short"]:
            name = self._letters.get(said)
        else:
            said = said.casefold().replace("_", "-")
            name, off = self._names.get(said), self._names.get(said.removeprefix("no-"))
            if name is None and off and self._kinds[off] is bool and option["value"] is None:
                return off, False
        if name is None:
            unknown = option[0].partition("=")[0]
            if near := get_close_matches(said, self._names, n=1):
                fault = texts.say(
                    "There is no option {option}; did you mean {other}?",
                    option=unknown,
                    other=f"--{near[0]}",
                )
            else:
                fault = texts.say(
                    "There is no option {option}; there are {options}.",
                    option=unknown,
                    options=self.usage,
                )
            raise ValueError(fault)
        return name, True

    def _describe(self, name: str) -> str:
        text = _write(name) if self._kinds[name] is bool else f"{_write(name)} {name.upper()}"
        return text if name in self._required else f"[{text}]"


def _write(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _unquote(word: str) -> str:
    return _QUOTED.sub(lambda quoted: quoted[1] or quoted[2] or "", word)
