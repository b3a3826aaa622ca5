"""The rules of the lease, each taken away, and a seed that shows what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import trio

from hachat.cluster.elector import Elector
from hachat.cluster.term import Duty, Term
from hachat.core.lease import Ask, Event, Lease, Refused, Token, Watch
from tests.cluster.fake_lease import FakeServer, Rules
from tests.simulation.chaos import Return
from tests.simulation.process import TIMING, Ways
from tests.simulation.world import Variant


class LeaseFromAnswer(Lease):
    """Counts the lease from the moment the answer came."""

    def confirm(self, sent: float, now: float, jitter: float) -> None:
        """Forget when the question was sent."""
        super().confirm(now, now, jitter)


class LeaseWithoutMargin(Lease):
    """Trusts that all clocks run alike, and that stopping takes no time."""

    def _prolong(self, sent: float, jitter: float) -> None:
        super()._prolong(sent, jitter)
        self.until = sent + TIMING.ttl


class TermWithoutDeadline(Term):
    """Goes on until Redis says that the lease is lost."""

    def follow_clock(self) -> None:
        """Let the scope stand."""
        self.scope.deadline = inf


class HastyElector(Elector):
    """Gives the lease back when asked to leave, while the duty still drains."""

    async def _act(self, term: Term, duty: Duty) -> bool:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._leave, term)
            fine = await super()._act(term, duty)
            nursery.cancel_scope.cancel()
        return fine

    async def _leave(self, term: Term) -> None:
        await term.leaving.wait()
        await self._say_goodbye(term)


class Unguarded(Term):
    """Looks at the clock only when it renews."""

    async def guard(self) -> None:
        """Do nothing."""


class FearlessWatch(Watch):
    """Takes a change of the server for no reason to wait."""

    def ask(self, now: float) -> Ask:
        """Say that this server has been there for ever."""
        ask = super().ask(now)
        return Ask(ask.node, ask.boot, ask.timing, ask.floor, ask.sight, ask.silence, inf)


class EagerWatch(Watch):
    """Counts the lock delay from when it hears of a server, which may have no replicas yet."""

    def hear(self, event: Event, now: float) -> None:
        """Count from now."""
        known = event.sight.identity == self._sight.identity
        super().hear(event, now)
        if not known:
            self._same_since = now


class ServerWithoutHeir(FakeServer):
    """Gives the lease to whoever comes first, whomever it was left to."""

    def _keep_for_heir(self, ask: Ask) -> Refused | None:
        refused = super()._keep_for_heir(ask)
        return None if refused is not None and refused.kind == "HANDOFF" else refused


class ServerWithoutBar(FakeServer):
    """Gives the lease to who has just given it away."""

    def _keep_for_heir(self, ask: Ask) -> Refused | None:
        refused = super()._keep_for_heir(ask)
        return None if refused is not None and refused.kind == "VETO" else refused


class ServerWithoutEpochs(FakeServer):
    """Counts no Redis failovers: the same run of the same server is the same, whoever was master meanwhile."""

    @property
    def identity(self) -> str:
        """The id of the server's run alone."""
        return self.run_id

    def _grant(self, ask: Ask) -> Token:
        self.config_epoch = 0
        return super()._grant(ask)


BROKEN: Mapping[str, tuple[int, Variant]] = {
    "the deadline counts from the answer": (69, Variant(lease=LeaseFromAnswer)),
    "the lease has no margin and no drift": (144, Variant(lease=LeaseWithoutMargin)),
    "the scope has no deadline": (20, Variant(term=TermWithoutDeadline)),
    "the clock stands still while the machine is suspended": (
        12,
        Variant(ways=Ways(boottime=False)),
    ),
    "nobody looks at the clock between renewals": (79, Variant(term=Unguarded)),
    "the lease is released before the nursery has closed": (0, Variant(elector=HastyElector)),
    "a process that stands still counts as dead": (28, Variant(ways=Ways(only_the_dead=False))),
    "a candidate does not wait for silence": (0, Variant(rules=Rules(silence=False))),
    "a candidate does not wait out a new Redis": (1, Variant(rules=Rules(identity=False))),
    "the lock delay is none": (1, Variant(watch=FearlessWatch)),
    "a candidate need not have seen the last event": (12, Variant(rules=Rules(sight=False))),
    "a renewal does not compare the token": (0, Variant(rules=Rules(renew_compares_token=False))),
    "a late renewal brings back a released lease": (
        13,
        Variant(rules=Rules(renew_reads_record=False)),
    ),
    "the fence lets later tokens pass": (0, Variant(rules=Rules(fence_is_equality=False))),
    "a lease counts without a replica": (46, Variant(ways=Ways(wait_on_acquire=False))),
    "a renewal counts without a replica": (123, Variant(ways=Ways(wait_on_renew=False))),
    "Redis failovers are not counted": (2741, Variant(server=ServerWithoutEpochs)),
    "the floor is forgotten": (1387, Variant(ways=Ways(floor=False))),
    "a lease is taken though no Sentinel vouches for the server": (
        1656,
        Variant(ways=Ways(vouched=False)),
    ),
    "the lock delay counts without replicas": (95, Variant(watch=EagerWatch, chaos=Return)),
    "an heir is not waited for": (0, Variant(server=ServerWithoutHeir)),
    "who gave the lease away takes it back": (112, Variant(server=ServerWithoutBar)),
}
"""Each rule, broken, and a seed that shows it."""
