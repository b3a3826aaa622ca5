"""What to say when nobody knows a command: silence makes people think the bot is down."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

from hachat.bot.context import Context
from hachat.bot.description import Usage
from hachat.bot.quoting import shorten
from hachat.bot.router import MAX_TEXT
from hachat.bot.texts import ENGLISH, Texts
from hachat.core.addressing import Address
from hachat.core.settings import Unknown

_LONGEST_NAME = 2
"""Words of a command that are compared: `auth add USER` is told from `auth list` by two."""

_ALIKE = 0.7  # the likeness of one slip in a word of four letters; difflib's own 0.6 finds too much in chatter


def suggest(address: Address, commands: Iterable[Usage], texts: Texts = ENGLISH) -> str:
    """Return the answer to a command nobody knows, with the nearest one that exists."""
    if len(address.command) > MAX_TEXT:
        return texts.say(
            "That is too long for me: a command has at most {most} characters.", most=MAX_TEXT
        )
    hint = texts.say('Try "{help}".', help=f"{address.prefix}help")
    if not address.command:
        return f"{texts.say('Yes?')} {hint}"
    said = shorten(address.command)
    likeness, nearest = find_nearest(address.command, commands)
    line = f"{address.prefix}{nearest}"
    if likeness == 1.0:
        return texts.say(
            'I do not understand {said}. Write it as "{command}".', said=said, command=line
        )
    if nearest:
        hint = texts.say('Did you mean "{command}"?', command=line)
    return f"{texts.say('I do not know {command}.', command=said)} {hint}"


def answer(ctx: Context, text: str, how: Unknown) -> None:
    """Say `text` about a command nobody knows: in a room as `how` says, to somebody alone always."""
    if ctx.private or how == "answer":
        ctx.reply(text)
    elif how == "private":
        ctx.reply_privately(text)


def find_nearest(command: str, commands: Iterable[Usage]) -> tuple[float, str]:
    """Return the usage that `command` was most likely meant to be, and how like it is: 1.0 if only its arguments are not.

    It is 0.0 and nothing if there is none.
    """
    usages = {_name_of(usage.line): usage.line for usage in commands}
    words = command.lower().split(None, _LONGEST_NAME)[:_LONGEST_NAME]
    said = [" ".join(words[:count]) for count in range(1, len(words) + 1)]
    near = [(text, name) for text in said for name in get_close_matches(text, usages, 1, _ALIKE)]
    # Who knows half of a name has not mistyped the other half.
    near += [(text, name) for text in said[:1] for name in usages if name.startswith(f"{text} ")]
    found = [(SequenceMatcher(None, *pair).ratio(), usages[pair[1]]) for pair in near]
    return max(found, default=(0.0, ""))


def _name_of(line: str) -> str:
    """Return what is to be typed as it stands: `auth add` of `auth add USER GROUP`."""
    words = line.split()[:_LONGEST_NAME]
    plain = [word for word in words if word[0].isalnum() and word == word.lower()]
    return " ".join(plain) or line
