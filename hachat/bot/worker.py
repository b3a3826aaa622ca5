"""Works through the inbound queue: takes conversations, has their messages handled, and Redis told what comes of it.

One worker serves one lane.  It holds at most `slots` conversations at once and asks for no more than it has room
for, so that what it cannot start yet can be started elsewhere.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

import structlog
import trio

from hachat.bot.company import MOMENT, Company
from hachat.bot.run import Run
from hachat.bot.turns import RELUCTANCE, Turns
from hachat.bot.visit import VISIT_SECONDS, Visit, Visits, make_receipt
from hachat.core import wire
from hachat.core.errors import HandlerError, NewerSchema, StoreError, TooOld, WireError
from hachat.core.messages import Inbound, Message
from hachat.store.commits import Head, Held, Later, Token
from hachat.store.connections import Reader, Readers
from hachat.store.dialogs import Find, Question, find_none, is_expiry
from hachat.store.inbound import BLOCK
from hachat.store.inbound import Inbound as Queue
from hachat.store.keys import Lane
from hachat.store.members import Newest, know_nobody
from hachat.store.retry import retry
from hachat.store.trouble import report
from hachat.tasks.hands import Hand, Hands
from hachat.tasks.services import run_until

log = structlog.get_logger(__name__)

GOODBYE = 2.0
"""Seconds for committing what was finished, and again for handing unfinished conversations back."""

PAUSE = 0.25
"""Seconds after which Redis is asked again that did not answer."""

PATIENCE = 0.5
"""Seconds after which a conversation goes on without a message that is still being handled."""


class Begin(Protocol):
    """Finds what is to be done about a message; HandlerError and TooOld say that it is not to be done here."""

    def __call__(self, inbound: Inbound, questions: Sequence[Question] = (), /) -> Run:
        """Return it; the message may answer one of the open `questions`."""
        ...


class Worker:
    """Serves one lane of the inbound queue on this node.

    `expect` is called with the seconds until something is due that this node has scheduled.
    """

    def __init__(
        self,
        queue: Queue,
        readers: Readers,
        lane: Lane,
        slots: int,
        begin: Begin,
        *,
        find: Find = find_none,
        newest: Newest = know_nobody,
        expect: Callable[[float], None] = lambda _: None,
        patience: float = PATIENCE,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.lane: Lane = lane
        self._queue = queue
        self._readers = readers
        self._begin = begin
        self._find = find
        self._newest = newest
        self._dice = dice
        self._visits = Visits(slots)
        self._company = Company(queue, patience, self._finish)
        self._hands: Hands[Visit] = Hands(
            slots, self._handle, self._overrun, slow=self._company.join, moment=MOMENT
        )
        self._turns = Turns(
            queue, lane, self._visits, self._hands.give, expect=expect, reconcile=self.reconcile
        )

    @property
    def running(self) -> int:
        """How many conversations are in hand."""
        return len(self._visits.in_hand)

    @property
    def free(self) -> int:
        """How many more conversations could be taken."""
        return 0 if self._turns.leaving else self._visits.free

    async def run(
        self,
        leaving: trio.Event,
        grace: float,
        *,
        drained: trio.Event | None = None,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Work until `leaving` is set; then finish what runs within `grace` seconds and hand back the rest.

        Once `drained` is set it takes nothing new, and ends when what it has is finished, however long that takes.
        """
        last = leaving if drained is None else drained
        try:
            async with trio.open_nursery() as turning:
                async with trio.open_nursery() as limiting:
                    async with trio.open_nursery() as handling:
                        turning.start_soon(run_until, self._turns.run, self._company.run)
                        handling.start_soon(self._hands.run)
                        task_status.started()
                        await run_until(last.wait, self._take)
                        self._turns.leaving = True
                        for visit in self._hands.end():
                            self._turns.pass_on(visit)
                        limiting.start_soon(_limit, handling.cancel_scope, leaving, grace)
                    limiting.cancel_scope.cancel()
                self._turns.close()
                turning.cancel_scope.deadline = trio.current_time() + GOODBYE
        finally:
            with trio.move_on_after(GOODBYE, shield=True):
                await self._hand_back()

    def adopt(self, tokens: Iterable[Token]) -> None:
        """Handle conversations that are ours: just read, or taken over from nodes that are gone."""
        until = trio.current_time() + VISIT_SECONDS
        for token in tokens:
            if token.entry not in self._visits.in_hand and not self._turns.leaving:
                self._turns.finish(self._visits.begin(token, until))

    async def reconcile(self) -> None:
        """Compare what Redis says is ours with what is in hand: adopt what we did not hear of, stop what is not ours.

        Raises:
            StoreError: Redis did not answer.
        """
        async with self._visits.agreeing:
            known = dict(self._visits.in_hand)
            held = await self._queue.held(self.lane)
            self.adopt(token for token in held if token.entry not in known)
        ours = {token.entry for token in held}
        for entry, visit in known.items():
            if entry not in ours and visit.run is not None and not visit.ended:
                log.warning("lost a conversation", conversation=visit.token.conversation)
                visit.lose()

    # Taking conversations.

    async def _take(self) -> None:
        while True:
            try:
                async with self._readers.reader(BLOCK) as reader:
                    await self._queue.prepare()
                    await self.reconcile()
                    while True:
                        await self._read(reader)
            except StoreError as error:
                report(log, "cannot read the inbound queue", error, lane=self.lane)
                await trio.sleep(PAUSE)

    async def _read(self, reader: Reader) -> None:
        visits = self._visits
        while not visits.free:
            await visits.freed.park()
        visits.asked = visits.free
        try:
            self.adopt(await self._queue.read(reader, self.lane, visits.asked))
        finally:
            visits.asked = 0

    # Handling heads.

    async def _handle(self, visit: Visit, hand: Hand[Visit]) -> None:
        assert visit.head is not None
        try:
            run = await self._find_run(visit.head)
        except NewerSchema as error:
            await self._pass_on(visit, visit.head, error)
            return
        except (WireError, HandlerError, TooOld) as error:
            self._give_up(visit, visit.head, error)
            return
        if not run.plain and not await self._prepare(visit, run):
            return
        visit.run, visit.hand, visit.began = run, hand, hand.allow(run.timeout)
        await run.carry_out()
        self._answer(visit, run)

    async def _find_run(self, head: Head) -> Run:
        inbound = wire.decode_inbound(head.data)
        if not head.asked and not is_expiry(inbound):
            return self._begin(inbound)
        return self._begin(inbound, await retry(partial(self._find, inbound)))

    async def _pass_on(self, visit: Visit, head: Head, error: NewerSchema) -> None:
        """Leave a message to nodes that understand it, if there are any."""
        if await retry(self._newest) < error.schema:
            self._give_up(visit, head, error)
            return
        log.info("left to a newer node", message=head.id, schema=error.schema)
        await trio.sleep(RELUCTANCE)  # this node is free to take it again
        self._turns.pass_on(visit)

    async def _prepare(self, visit: Visit, run: Run) -> bool:
        """Store that routes begin, and move the message where they want it; return whether it can be handled now."""
        token, key = visit.token, run.key
        assert visit.head is not None
        aside = "" if key == token.conversation else key
        if not aside and not run.once:
            return True
        tell = partial(self._queue.progress, token, visit.head, begun=run.once, aside=aside)
        progress = await retry(partial(tell, request=secrets.token_hex(8)))
        if progress.held is not Held.HELD:
            self._pass_over(visit, progress.held)
            return False
        if aside:
            visit.token = Token(token.lane, token.entry, aside)
        run.skip(progress.said)
        return True

    def _pass_over(self, visit: Visit, held: Held) -> None:
        """Go on without the message at the head, which is handled elsewhere."""
        if held is Held.DONE:
            self._visits.end(visit)
        else:
            self._turns.go_to(visit, None)

    def _overrun(self, visit: Visit) -> None:
        assert visit.run is not None
        if not visit.lost:
            visit.run.overrun()
        self._answer(visit, visit.run)

    def _answer(self, visit: Visit, run: Run) -> None:
        if visit.lost:
            self._visits.end(visit)
            return
        visit.replies, visit.later, inbound = run.said, run.later, run.inbound
        visit.opens, visit.closes = run.opens, run.closes
        if run.failed:
            self._see_to_failures(visit, run)
        goes_on = visit.again or (visit.closes is not None and visit.closes.message is not None)
        if not goes_on and isinstance(inbound, Message) and inbound.receipt:
            visit.replies = [*visit.replies, make_receipt(inbound)]
        visit.ended = True
        if visit.news is None:
            self._turns.finish(visit)
        else:
            visit.news.unpark_all()

    def _see_to_failures(self, visit: Visit, run: Run) -> None:
        visit.replies, visit.give_up, visit.letter = run.replies, run.given_up, run.letter
        if again := run.try_again(self._dice):
            delay, value = again
            visit.later = [*visit.later, Later(f"{value.id}/again", delay, self.lane, value)]
            visit.again = True

    def _give_up(self, visit: Visit, head: Head, error: Exception) -> None:
        reason = visit.give_up = str(error)
        conversation = visit.token.conversation
        log.error("message given up", conversation=conversation, message=head.id, error=reason)
        self._turns.finish(visit)

    def _finish(self, visit: Visit) -> None:
        self._turns.finish(visit)

    # Leaving.

    async def _hand_back(self) -> None:
        try:
            count = await self._queue.hand_back(self.lane)
        except StoreError as error:
            log.warning(
                "could not hand back conversations; others take them over later", error=str(error)
            )
        else:
            if count:
                log.info("handed back conversations", lane=self.lane, count=count)


async def _limit(scope: trio.CancelScope, leaving: trio.Event, grace: float) -> None:
    await leaving.wait()
    scope.deadline = trio.current_time() + grace
