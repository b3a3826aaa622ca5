"""One message, webhook or job being handled: the methods it is for, what they have said, and how that ends.

This is the one firewall between handlers and the daemon: whatever a handler raises is logged with the message's id,
becomes one short reply and, where its route allows that, another try; only a cancel passes through.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

import msgspec
import structlog
import trio

from hachat.bot.apology import apologise
from hachat.bot.calls import Call
from hachat.bot.policy import DELAYS, PLAIN, Policy, Retry, choose_delay
from hachat.bot.questions import Suspended
from hachat.bot.texts import ENGLISH, Texts
from hachat.core.messages import (
    Event,
    Inbound,
    Message,
    Reply,
    choose_key,
)
from hachat.store.commits import Later
from hachat.store.dialogs import Closing, Question, make_expiry

log = structlog.get_logger(__name__)

_CONTAINED = (Exception, SystemExit)  # a library that exits must not take the node along


class Failure(msgspec.Struct, frozen=True):
    """How a route failed; `after` are the seconds it wants to wait for another try, None for those of the backoff."""

    route: str
    reason: str
    again: bool = False
    after: float | None = None


class Run:
    """All that is to be done about one message, webhook or job; it may take `timeout` seconds in all.

    Whoever runs it keeps the time: it cancels `carry_out` when the time is up, and then calls `overrun`.
    """

    __slots__ = (
        "_asked",
        "_ended",
        "_failures",
        "_late",
        "_node",
        "_texts",
        "calls",
        "inbound",
        "result",
        "timeout",
    )

    def __init__(
        self,
        inbound: Inbound,
        calls: Sequence[Call],
        *,
        timeout: float,
        node: str = "",
        texts: Texts = ENGLISH,
    ) -> None:
        self.inbound = inbound
        self.calls = calls
        self.timeout = timeout
        self.result: object = None
        """What the route returned that has ended last."""
        self._node = node
        self._texts = texts
        self._failures: list[Failure] = []
        self._ended: set[str] = set()
        self._asked: dict[str, Question] = {}
        self._late = False

    # Before it begins.

    @property
    def once(self) -> list[str]:
        """The routes that must not begin twice; that they begin is to be stored before they do."""
        return [call.name for call in self.calls if call.policy.retry == "never"]

    @property
    def plain(self) -> bool:
        """Whether no route asks for anything before it begins."""
        for call in self.calls:  # noqa: SIM110 - it costs half of what all() does, for each message
            if call.policy.retry == "never" or call.policy.order:
                return False
        return True

    @property
    def failed(self) -> bool:
        """Whether any route has failed."""
        return bool(self._failures)

    @property
    def late(self) -> bool:
        """Whether any route has taken too long."""
        return self._late

    @property
    def key(self) -> str:
        """The conversation in which its routes want it to be, or nothing if they do not care or do not agree."""
        order = self.calls[0].policy.order if self.calls else ""
        if not order or not isinstance(self.inbound, Message):
            return ""
        if any(call.policy.order != order for call in self.calls):
            return ""
        return choose_key(self.inbound, order) or self.inbound.room.address

    def skip(self, begun: Collection[str]) -> None:
        """Leave out the routes in `begun`, which began in a process that is gone and must not begin again."""
        for call in self.calls:
            if call.name in begun:
                self._note(Failure(call.name, "it was interrupted and must not be done twice"))
        self.calls = [call for call in self.calls if call.name not in begun]

    # While it runs.

    async def carry_out(self) -> None:
        """Run every call, at the same time; of handlers' errors, raise nothing."""
        if len(self.calls) == 1:  # as nearly always; it needs no task of its own
            await self._run(self.calls[0])
            return
        try:
            async with trio.open_nursery() as nursery:
                for call in self.calls:
                    nursery.start_soon(self._run, call, name=call.name)
        except* _CONTAINED as faults:
            self.fail("", faults)

    @property
    def said(self) -> list[Reply]:
        """What the routes have said so far, route by route; what was said before a failure is kept."""
        return [reply for call in self.calls for reply in call.replies]

    def listen(self, hear: Callable[[], None]) -> None:
        """Have `hear` called, from any thread, whenever something is said."""
        for call in self.calls:
            call.replies.hear = hear

    def fail(self, route: str, fault: BaseException, policy: Policy = PLAIN) -> None:
        """Note that `route` failed, or all of it."""
        plain = _plain(fault)
        log.error("a handler failed", **self._facts(), route=route, exc_info=plain)
        self._note(
            Failure(
                route,
                f"{type(plain).__name__}: {plain}",
                again=bool(route) and policy.retry != "never",
                after=plain.after if isinstance(plain, Retry) else None,
            )
        )

    def overrun(self) -> None:
        """Note that it was cancelled because its time was up."""
        ended = self._ended | {failure.route for failure in self._failures}
        routes = [call.name for call in self.calls if call.name not in ended]
        self._be_late(routes, self.timeout)

    async def _run(self, call: Call) -> None:
        try:
            if call.limit is None:
                await self._run_in_time(call)
            else:
                async with call.limit:
                    await self._run_in_time(call)
            self._ended.add(call.name)
        except* Suspended as pauses:
            self._suspend(call, pauses)
        except* _CONTAINED as faults:
            self.fail(call.name, faults, call.policy)
        finally:
            call.close()

    def _suspend(self, call: Call, pauses: BaseExceptionGroup[Suspended]) -> None:
        """Note what a route waits for; of several questions that it asked together, the first."""
        pause: BaseException = pauses
        while isinstance(pause, BaseExceptionGroup):
            pause = pause.exceptions[0]
        assert isinstance(pause, Suspended)
        self._asked[call.name] = pause.question
        self._ended.add(call.name)

    async def _run_in_time(self, call: Call) -> None:
        seconds = call.policy.timeout
        if seconds is None:
            self.result = await call.run()
            call.keep()
            return
        with trio.move_on_after(seconds) as scope:
            self.result = await call.run()
            call.keep()
        if scope.cancelled_caught:
            self._be_late([call.name], seconds)

    # When it has ended.

    @property
    def replies(self) -> list[Reply]:
        """All that is to be said."""
        return [*self.said, *self._apologise()]

    @property
    def later(self) -> list[Later]:
        """What is to be done later, for the routes that have ended well; to be committed with the replies."""
        timers = [later for call in self.calls for later in call.timers or ()]
        for question in self.opens:
            job = make_expiry(question, time.time() + question.seconds)
            timers.append(Later(question.expiry, question.seconds, "work", job))
        if self.closes is not None:
            timers.append(Later(self.closes.question.expiry, 0.0, "work"))
        return timers

    @property
    def opens(self) -> list[Question]:
        """The questions that wait for an answer; of several in one place, that of the last route."""
        failed = {failure.route for failure in self._failures}
        asked = [question for route, question in self._asked.items() if route not in failed]
        return list({question.place: question for question in asked}.values())

    @property
    def closes(self) -> Closing | None:
        """What closes a question that is open, if anything has."""
        return next((call.hearing.closing for call in self.calls if call.hearing), None)

    def try_again(self, dice: Callable[[], float]) -> tuple[float, Inbound] | None:
        """Return what is to be handled again of it, and in how many seconds; None if nothing is."""
        again = self._again
        if not again:
            return None
        inbound = self.inbound
        waits = [choose_delay(inbound.attempt, dice) if f.after is None else f.after for f in again]
        fields: dict[str, object] = {"attempt": inbound.attempt + 1, "v": max(2, inbound.v)}
        if isinstance(inbound, Message | Event):
            fields["only"] = tuple(failure.route for failure in again)
        return min(waits), msgspec.structs.replace(inbound, **fields)

    @property
    def given_up(self) -> str:
        """Why routes are given up, or nothing."""
        return "; ".join(
            f"{failure.route or 'all'}: {failure.reason}" for failure in self._list_lost()
        )

    @property
    def letter(self) -> Message | Event | None:
        """What to keep of a message of which only some routes are given up; None if that is all of it, or nothing."""
        inbound, lost = self.inbound, tuple(failure.route for failure in self._list_lost())
        if not lost or "" in lost or not isinstance(inbound, Message | Event):
            return None
        others = self._again or self._ended - set(lost)
        return msgspec.structs.replace(inbound, only=lost, v=max(2, inbound.v)) if others else None

    def _list_lost(self) -> list[Failure]:
        again = self._again
        return [failure for failure in self._failures if failure not in again]

    @property
    def _again(self) -> list[Failure]:
        if self.inbound.attempt >= len(DELAYS):
            return []
        return [failure for failure in self._failures if failure.again]

    def _be_late(self, routes: Sequence[str], seconds: float) -> None:
        self._late = True
        log.error("a handler took too long", **self._facts(), routes=routes, seconds=seconds)
        for route in routes:
            self._note(Failure(route, f"it took longer than {seconds:g} s"))

    def _note(self, failure: Failure) -> None:
        self._failures.append(failure)

    def _apologise(self) -> list[Reply]:
        if not self._failures or not isinstance(self.inbound, Message):
            return []
        again = bool(self._again)
        apology = apologise(self.inbound, self._texts, late=self._late, again=again)
        return [apology] if apology else []

    def _facts(self) -> dict[str, str]:
        return {"message": self.inbound.id, "node": self._node}


def _plain(fault: BaseException) -> BaseException:
    """Return the one error in a group of one, which reads better in a log."""
    if isinstance(fault, BaseExceptionGroup) and len(fault.exceptions) == 1:
        return fault.exceptions[0]
    return fault
