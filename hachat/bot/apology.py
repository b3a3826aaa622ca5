"""What is said to whoever asked for something that went wrong."""

from __future__ import annotations

from hachat.bot.quoting import shorten
from hachat.bot.texts import Texts
from hachat.core.messages import Message, Reply, find_cause, name_replies


def apologise(message: Message, texts: Texts, *, late: bool, again: bool) -> Reply | None:
    """Say that something went wrong, or took too long, when it does for the first time, and when it is given up.

    With `again` it will be tried once more; None if nothing is to be said.
    """
    if again and message.attempt:
        return None
    text = _say_what_happened(message, texts, late=late)
    if again:
        text = f"{text} {texts.say('I will try again.')}"
    cause = find_cause(message)
    name = f"{name_replies(message, cause)}/robot/{1 if again or not message.attempt else 2}"
    return Reply(name, message.room.address, text, thread=message.thread, about=cause)


def _say_what_happened(message: Message, texts: Texts, *, late: bool) -> str:
    tries = message.attempt + 1
    if tries > 1:
        return texts.say(
            "Sorry, I gave up {command} after {tries} tries (id {id}).",
            command=shorten(message.text),
            tries=tries,
            id=message.id,
        )
    if late:
        return texts.say("Sorry, that took too long (id {id}).", id=message.id)
    return texts.say("Sorry, that went wrong (id {id}).", id=message.id)
