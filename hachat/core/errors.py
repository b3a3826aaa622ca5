"""Every error hachat raises, in one tree.

An error is named for whose act it is, because that decides what to do about it::

    HachatError
    ├── SettingsError        the operator's settings cannot work; lists every fault
    ├── UsageError           a command was asked for something it cannot do
    │   └── StepDownRefused  the lease does not move as asked; its `code` is why, for programs
    ├── Unsigned             a webhook is not signed by whoever should have sent it
    ├── WireError            bytes that are not one of our envelopes, or one that cannot be queued
    │   └── NewerSchema      an envelope of a newer release, for nodes of that release
    ├── NewerLayout          Redis holds the queues of a newer release; this one must not touch them
    ├── NodeNameTaken        another living process runs under this node's name
    ├── StoreError
    │   ├── StoreUnavailable Redis did not answer: the outcome is unknown, ask again
    │   └── StoreRefused     Redis answered no (memory, rights, disk): mend it, then ask again
    ├── Fenced               the lease is no longer ours; stop everything done in its name
    ├── QueueFull            a limit is reached; nothing was queued
    ├── GroupsFull           groups have too many members; nothing was changed
    ├── MemoryFull           a handler remembers too much; nothing was changed
    ├── SendError            an adapter could not deliver a reply
    │   ├── NotSent          nothing left this process: safe to send again, later
    │   ├── Undeliverable    the service will never take it
    │   └── InDoubt          it may have arrived, and nobody can tell
    ├── CallError            a chat service was asked something and could not tell
    │   ├── Unsupported      it can never tell this
    │   └── Unanswered       nothing was heard in time; it may be asked again
    ├── FindError            a user or a room was named, and nobody can tell which; says so to whoever named it
    │   ├── NotFound         none that was ever met is called that
    │   └── Ambiguous        several are; they are its `candidates`
    ├── TooOld               it has waited longer than its route allows; it is not run
    ├── ProcessFailed        what another process was asked to do raised an error
    │   └── ProcessDied      the process ended before it was done; the next call has another one
    └── HandlerError         a plugin could not be loaded or is declared wrongly
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

StepDownCode: TypeAlias = Literal[
    "no master",
    "changed",
    "ineligible",
    "no successor",
    "pending",
    "paused",
    "unanswered",
    "not taken over",
    "failed",
]
"""Why the lease does not move as asked.

Nobody has it; another has it than was meant; the named successor cannot have it; nobody can; another step-down is under
way; elections are paused; the master did not answer, or not in time; it was given back and not taken as asked; Redis or
the node that was asked failed.
"""


class HachatError(Exception):
    """Base of everything hachat raises on purpose."""


class SettingsError(HachatError):
    """Settings that cannot work; `faults` holds one sentence for each."""

    def __init__(self, faults: Sequence[str], origin: str = "settings") -> None:
        self.faults = tuple(faults)
        self.origin = origin
        lines = "".join(f"\n  - {fault}" for fault in self.faults)
        super().__init__(f"{origin}: {len(self.faults)} fault(s){lines}")


class UsageError(HachatError):
    """A command was asked for something that cannot be done as asked."""


class Unsigned(HachatError):
    """A request is not signed by whoever should have sent it."""


class StepDownRefused(UsageError):
    """The lease does not move as asked; `code` is why, for programs."""

    def __init__(self, reason: str, code: StepDownCode) -> None:
        self.code: StepDownCode = code
        super().__init__(reason)


class WireError(HachatError):
    """Bytes that cannot be decoded as one of our envelopes."""


class NewerSchema(WireError):
    """An envelope that only nodes which read `schema` understand."""

    def __init__(self, reason: str, schema: int) -> None:
        self.schema = schema
        super().__init__(reason)


class NewerLayout(HachatError):
    """The keys in Redis are those of a newer release."""


class NodeNameTaken(HachatError):
    """Another living process runs under this node's name."""


class StoreError(HachatError):
    """Something between us and Redis went wrong."""


class StoreUnavailable(StoreError):
    """Redis did not answer in time or is not a master: the outcome is unknown.

    Whoever asked may ask again, because every script of ours is idempotent.
    """


class StoreRefused(StoreError):
    """Redis answered and said no: out of memory, no rights, disk full."""


class Fenced(HachatError):
    """The lease is no longer ours."""


class QueueFull(HachatError):
    """A limit is reached; nothing was queued and no trace was left."""


class GroupsFull(HachatError):
    """Groups have as many members as they may; nothing was changed."""


class MemoryFull(HachatError):
    """A handler remembers as much as it may; nothing was changed."""


class SendError(HachatError):
    """A reply was not, or perhaps not, delivered to the chat service."""


class NotSent(SendError):
    """Nothing left this process; send again after `after` seconds.

    Without a time the sender chooses: a second at first, longer each time until something arrives.  `scope` is what
    has to wait: `room`, `adapter` for all rooms of the service, or any other name for what the adapter counts
    among that (see `docs/adapters.md`).
    """

    def __init__(self, reason: str, after: float = 0.0, scope: str = "room") -> None:
        self.after = after
        self.scope = scope
        super().__init__(reason)


class Undeliverable(SendError):
    """The service will never take this reply: no such room, too long, not allowed."""


class InDoubt(SendError):
    """The reply may have arrived, and the service cannot tell."""


class CallError(HachatError):
    """A chat service was asked something (who is in a room, who somebody is) and could not tell."""


class Unsupported(CallError):
    """The service, or its adapter, can never tell this."""


class Unanswered(CallError):
    """Nothing was heard within the time that the caller allowed; it may be asked again."""


class FindError(HachatError, LookupError):
    """A user or a room was named, and nobody can tell which is meant; the sentence is for whoever named it."""


class NotFound(FindError):
    """None that was ever met is called that."""


class Ambiguous(FindError):
    """Several are called that, or begin with it; `candidates` are some of them, as they may be told apart."""

    def __init__(self, sentence: str, candidates: Sequence[str]) -> None:
        self.candidates = tuple(candidates)
        super().__init__(sentence)


class TooOld(HachatError):
    """What came in has waited longer than the route it is for allows."""


class ProcessFailed(HachatError):
    """What another process was asked to do raised an error; a note tells its trace there."""


class ProcessDied(ProcessFailed):
    """The process ended before it was done."""


class HandlerError(HachatError):
    """A plugin could not be loaded or is declared wrongly."""
