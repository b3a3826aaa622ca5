"""One reply on its way out: what the adapter is asked, and what its answer means for the outbox."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

import structlog
import trio

from hachat.chat.abilities import Finds, Scopes
from hachat.chat.adapter import Adapter
from hachat.chat.calls import make_call, refuse_call
from hachat.chat.limits import Lane, Limits, Scope
from hachat.chat.operations import REPEATABLE, Forgetful, Operations, adapt, explain
from hachat.core import wire
from hachat.core.errors import InDoubt, NewerSchema, NotSent, Undeliverable, WireError
from hachat.core.messages import Answer, Reply
from hachat.core.phrases import Phrase, Say, find_phrase, say_english
from hachat.core.settings import OnDoubt
from hachat.store.members import Newest, know_nobody
from hachat.store.outbound import Due, Report
from hachat.store.retry import retry

log = structlog.get_logger(__name__)

_NOTE = "/note"
_QUOTED = 200  # characters of a reply that a note repeats


_NEWER_MASTER = 5.0
"""Seconds between two looks at a reply that only a newer master understands."""


class Delivery:
    """Tries to send replies, and knows what has to wait; `may_send` tells whether a send may still begin.

    Rooms are told with `say`, in the bot's language, what could not be done.

    What it knows of trouble is worth a term: the next master finds out for itself.
    """

    def __init__(
        self,
        adapters: Mapping[str, Adapter],
        may_send: Callable[[], bool],
        *,
        newest: Newest = know_nobody,
        on_doubt: OnDoubt = "resend",
        operations: Operations | None = None,
        say: Say = say_english,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._adapters = adapters
        self._may_send = may_send
        self._newest = newest
        self._on_doubt = on_doubt
        self._operations = operations or Operations(Forgetful(), Forgetful())
        self._say = say
        self._limits = Limits(dice)
        self._doubted: dict[str, str] = {}

    async def attempt(self, due: Due) -> Report:
        """Try to send what is due, and return what became of it; raises nothing."""
        try:
            reply = wire.decode_reply(due.data)
        except WireError as error:
            return await self._refuse(due, error)
        try:
            return await self._try(reply, due)
        except NotSent as error:
            return self._defer(reply, due, error)
        except InDoubt as error:
            return self._doubt(reply, due, str(error))
        except Undeliverable as error:
            return self._give_up(reply, due, find_phrase(error))
        except Exception as error:
            log.exception("an adapter failed", room=due.room, reply=due.id)
            return self._give_up(
                reply, due, Phrase("the adapter failed: {error}", error=repr(error))
            )

    def overrun(self, due: Due) -> Report:
        """Return what became of a reply whose time was up."""
        try:
            reply = wire.decode_reply(due.data)
        except (
            WireError
        ) as error:  # Redis did not say in time whether a newer master can be hoped for
            return Report(due, "defer", _NEWER_MASTER, str(error))
        return self._doubt(reply, due, "no answer before the deadline")

    async def _refuse(self, due: Due, error: WireError) -> Report:
        """Give up what is no reply, but leave one of a newer release to a newer master, if there can be one."""
        if isinstance(error, NewerSchema) and await retry(self._newest) >= error.schema:
            return Report(due, "defer", _NEWER_MASTER, f"{error}; left to a master of that release")
        return Report(due, "dead", reason=str(error))

    async def _try(self, reply: Reply, due: Due) -> Report:
        adapter = self._adapters.get(reply.adapter)
        if adapter is None:
            raise Undeliverable(Phrase("no adapter {name!r} is set up", name=reply.adapter))
        if not self._may_send():
            return _put_back(due, 0.0)
        limits = self._limits
        if limits.trouble and (wait := limits.wait(_scopes(adapter, reply), trio.current_time())):
            return self._wait(reply, due, wait)
        answer = await self._deliver(adapter, reply, due)
        if limits.trouble:
            limits.succeed(_lanes(adapter, reply))
        self._doubted.pop(due.room, None)
        return Report(due, answer=answer)

    async def _deliver(self, adapter: Adapter, reply: Reply, due: Due) -> Answer | None:
        if reply.answer:
            return await make_call(adapter, reply)
        todo = adapt(adapter, reply)
        if todo and not (due.in_doubt and await self._is_done(adapter, todo)):
            await self._operations.perform(adapter, todo)
        return None

    async def _is_done(self, adapter: Adapter, reply: Reply) -> bool:
        """Tell whether a reply in doubt has arrived, or is to be left at that."""
        if reply.op in REPEATABLE:
            return False
        facts = adapter.facts
        if facts.can_search_history and not facts.idempotent_send and isinstance(adapter, Finds):
            self._tell_doubt(reply, "search")
            return await adapter.find(reply)
        resend = facts.idempotent_send or self._on_doubt == "resend"
        self._tell_doubt(reply, "resend" if resend else "skip")
        return not resend

    def _tell_doubt(self, reply: Reply, policy: str) -> None:
        if self._doubted.get(reply.room) != reply.id:
            self._doubted[reply.room] = reply.id
            log.warning(
                "in doubt whether a reply was sent", room=reply.room, reply=reply.id, policy=policy
            )

    def _wait(self, reply: Reply, due: Due, wait: float) -> Report:
        """Put back what belongs to a scope that is held."""
        everything = Scope(reply.adapter, "adapter")
        if reply.answer and not self._limits.wait([everything], trio.current_time()):
            return _answer_not_now(reply, due, f"the service allows no {reply.op} now", wait)
        return _put_back(due, wait)

    def _defer(self, reply: Reply, due: Due, error: NotSent) -> Report:
        lane: Lane = reply.room if error.scope == "room" else Scope(reply.adapter, error.scope)
        after = error.after or self._limits.fail(lane)
        if isinstance(lane, Scope):
            self._limits.hold(lane, trio.current_time() + after)
        if reply.answer and error.scope not in {"room", "adapter"}:
            return _answer_not_now(reply, due, str(error), after)
        return _put_back(due, after, str(error))

    def _doubt(self, reply: Reply, due: Due, reason: str) -> Report:
        if reply.answer:
            return Report(due, answer=refuse_call(reply, reason))
        return Report(due, "doubt", self._limits.fail(reply.room), reason)

    def _give_up(self, reply: Reply, due: Due, reason: str) -> Report:
        self._limits.succeed([reply.room])  # an answer, too
        self._doubted.pop(due.room, None)
        if reply.answer:
            return Report(due, answer=refuse_call(reply, str(reason)))
        return Report(due, "dead", reason=str(reason), note=make_note(reply, reason, self._say))


def make_note(reply: Reply, reason: str, say: Say = say_english) -> Reply | None:
    """Return what tells the room that `reply` came from why it will never be said; None where nobody is to be told."""
    text = explain(reply, reason, say)
    if not reply.origin or reply.id.endswith(_NOTE) or (not text and reply.origin == reply.room):
        return None
    if not text:
        told = say("This could not be said in {room} ({reason})", room=reply.room, reason=reason)
        text = f"{told}{_quote(reply)}"
    return Reply(f"{reply.id}{_NOTE}", reply.origin, wire.clean_text(text), about=reply.about)


def _quote(reply: Reply) -> str:
    if reply.recipient:  # what was meant for one is not told to all
        return ""
    said = reply.text if len(reply.text) <= _QUOTED else f"{reply.text[:_QUOTED]}…"
    return f": {said}"


def _put_back(due: Due, after: float, reason: str = "") -> Report:
    # That it was not sent now says nothing of an earlier attempt.
    return Report(due, "doubt" if due.in_doubt else "defer", after, reason)


def _answer_not_now(call: Reply, due: Due, reason: str, after: float) -> Report:
    """Answer a call that its own limit keeps waiting, because the replies behind it must not wait for that."""
    return Report(due, answer=refuse_call(call, f"{reason}; try again in {after:.0f} s"))


def _scopes(adapter: Adapter, reply: Reply) -> Iterator[Scope]:
    yield Scope(reply.adapter, "adapter")
    names = adapter.scopes(reply) if isinstance(adapter, Scopes) else (reply.op,)
    for name in names:
        yield Scope(reply.adapter, name)


def _lanes(adapter: Adapter, reply: Reply) -> Iterator[Lane]:
    yield reply.room
    yield from _scopes(adapter, reply)
