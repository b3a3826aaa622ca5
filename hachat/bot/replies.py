"""What handlers have said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import isawaitable

import msgspec
import structlog

from hachat.core.markdown import Markdown
from hachat.core.messages import Inbound, Message, Operation, Reply, find_cause, name_replies
from hachat.core.wire import clean_text, encode

log = structlog.get_logger(__name__)

MAX_REPLIES = 200
"""Replies one route may make to one message; they are all committed at once."""

SPOKEN: frozenset[Operation] = frozenset({"say", "act", "edit"})
"""What a room reads as words; it needs some."""


class Replies:
    """What one route has said about one message, in order; nothing can be added once it is closed.

    The ids of all begin with `stem`, if it is not that of the message.  The first `said` were said by an earlier run, and
    are left out.

    A handler in a thread may outlive its deadline, so adding and closing take a lock.  `hear`, if it is set, is called
    after each reply, in whichever thread made it; `change`, if it is set, returns what is said in place of each, None for nothing.
    """

    def __init__(self, about: str, route: str, stem: str = "", said: int = 0) -> None:
        self.about = about
        self.route = route
        self.count = 0
        """How many there are, those included that were said before."""
        self.stem = stem or about
        self._said = said
        self._lock = threading.Lock()
        self._made: list[Reply] = []
        self._closed = False
        self.hear: Callable[[], None] | None = None
        self.change: Callable[[Reply], Reply | None] | None = None

    def __iter__(self) -> Iterator[Reply]:
        return iter(self._made)

    def add(
        self,
        room: str,
        text: str,
        thread: str = "",
        origin: str = "",
        *,
        op: Operation = "say",
        args: Mapping[str, str] | None = None,
    ) -> Reply:
        """Record a reply and return it; the room `origin` is told if it can never be delivered.

        Raises:
            TypeError: the text is none.
            ValueError: the text is blank; no chat service would take it.
            RuntimeError: the handler has ended, so nobody would send it, or it has said too much.
            WireError: the reply is too large to be queued.
        """
        _check_type(self.route, text)
        if op in SPOKEN and not text.strip():
            raise ValueError(f"{self.route}: the reply is empty; say something or nothing at all")
        with self._lock:
            if self._closed:
                raise RuntimeError(
                    f"{self.route} has ended, so this reply would be lost; reply before the handler returns"
                )
            if self.count - self._said == MAX_REPLIES:
                raise RuntimeError(
                    f"{self.route} has replied {MAX_REPLIES} times; put more lines into one reply"
                )
            known = _note_markup(text, args)
            plain = op == "say" and not known and "/@" not in room
            reply = Reply(
                f"{self.stem}/{self.route}/{self.count + 1}",
                room,
                _clean(self.route, text),
                op,
                thread=thread,
                about=self.about,
                origin=origin,
                args=known,
                v=1 if plain else 3,
            )
            if self.change is not None and (changed := self.change(reply)) is not reply:
                if changed is None or (op in SPOKEN and not changed.text.strip()):
                    return reply
                reply = msgspec.structs.replace(changed, text=clean_text(changed.text))
            encode(reply)  # what cannot be queued fails here, where its author can see why
            self.count += 1
            if self.count > self._said:
                self._made.append(reply)
        if self.hear is not None:
            self.hear()
        return reply

    def repeat(self, replies: Iterable[Reply]) -> None:
        """Take over what another record held, as it stands."""
        with self._lock:
            self._made += replies

    def close(self) -> None:
        """Refuse whatever is said from now on."""
        with self._lock:
            self._closed = True


def make_replies(inbound: Inbound, route: str) -> Replies:
    """Return where what a route says about `inbound` is recorded, behind what it has said before it asked something."""
    dialog = inbound.dialog if isinstance(inbound, Message) else None
    stem, said = (dialog.stem, dialog.said) if dialog else ("", 0)
    return Replies(find_cause(inbound), route, name_replies(inbound, stem), said)


def _check_type(route: str, text: object) -> None:
    if isinstance(text, str):
        return
    if isawaitable(text):
        raise TypeError(f"{route} says what it has not waited for: an `await` is missing ({text})")
    raise TypeError(f"{route} says {text!r:.80}, which is no text: say str() of it")


def _clean(route: str, text: str) -> str:
    """Return what can be queued of a text, and tell in the log if that is not all."""
    said = clean_text(str(text))  # nothing else can be written as JSON
    if len(said) < len(text):
        log.warning("a text was cut", route=route, characters=len(text), said=len(said))
    return said


def _note_markup(text: str, args: Mapping[str, str] | None) -> dict[str, str]:
    """Return what else is to be known of a reply, its kind of text among it."""
    markup = {"markup": "markdown"} if isinstance(text, Markdown) else {}
    return {**(args or {}), **markup}
