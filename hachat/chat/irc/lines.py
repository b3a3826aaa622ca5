"""Which lines a reply becomes on a connection, and whom they are for."""

from __future__ import annotations

from hachat.chat.irc.session import Session
from hachat.chat.irc.wire import (
    ACTION_FRAME,
    format_action,
    format_line,
    is_target,
    split_text,
    text_limit,
)
from hachat.core.errors import Undeliverable
from hachat.core.messages import Reply
from hachat.core.phrases import Phrase

_SHORTEST = 40  # bytes of text beside a target; no real channel's name leaves less


def format_reply(reply: Reply, session: Session, encoding: str) -> list[bytes]:
    """Return the lines that say `reply`, or tell what the bot does.

    Raises:
        Undeliverable: its room cannot be a channel or a nick, or nobody is known to be the user it is for.
    """
    target, acts = _find_target(reply, session), reply.op == "act"
    limit = text_limit(target, encoding) - ACTION_FRAME * acts
    if not is_target(target) or limit < _SHORTEST:
        raise Undeliverable(Phrase("{room}: not a channel or a nick", room=reply.room))
    pieces = split_text(reply.text, limit, encoding)
    texts = map(format_action, pieces) if acts else pieces
    return [format_line("PRIVMSG", target, text, encoding=encoding) for text in texts]


def format_topic(reply: Reply, session: Session, encoding: str) -> bytes:
    """Return the line that sets the topic: to the first line of the text, because IRC has room for one.

    Raises:
        Undeliverable: its room cannot be a channel.
    """
    check_channel(reply, session)
    lines = split_text(reply.text, text_limit(reply.channel, encoding), encoding) or [""]
    return format_line("TOPIC", reply.channel, lines[0], encoding=encoding)


def check_channel(reply: Reply, session: Session) -> str:
    """Return the channel as the server compares it.

    Raises:
        Undeliverable: it cannot be one.
    """
    if session.is_channel(reply.channel) and is_target(reply.channel):
        return session.fold(reply.channel)
    raise Undeliverable(Phrase("{room}: not a channel", room=reply.room))


def _find_target(reply: Reply, session: Session) -> str:
    if not reply.recipient:
        return reply.channel
    if nick := session.find_recipient(reply.recipient):
        return nick
    raise Undeliverable(
        Phrase("{room}: nobody is known to be there under that id", room=reply.room)
    )
