"""What the web asks of the node it speaks for; the daemon provides it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from hachat.core.messages import Webhook
from hachat.core.responses import Response
from hachat.core.stepdown import Order
from hachat.store.letter import Letter, Page, Query


class HookRoute(Protocol):
    """A handler's claim on a path under `/hooks`."""

    @property
    def name(self) -> str:
        """`<handler>.<function>`: who will be given the webhook."""
        ...

    @property
    def method(self) -> str:
        """The one HTTP method it answers to."""
        ...

    @property
    def path(self) -> str:
        """A Quart URL rule below `/hooks`, such as `/deploy/<app>`."""
        ...

    @property
    def inline(self) -> bool:
        """Whether the sender waits for what the handler answers."""
        ...

    @property
    def signature(self) -> str | None:
        """How its requests have to be signed, if they have to be."""
        ...

    def authenticate(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Refuse a request that is not signed as it should be; `now` is Unix seconds.

        Raises:
            Unsigned: it is not; its text is shown to the sender.
        """

    def check(self, body: bytes) -> None:
        """Refuse a body the handler could not read.

        Raises:
            ValueError: the body is not what the handler expects; its text is shown to the sender.
        """


class HookNode(Protocol):
    """The node as those who send webhooks see it."""

    @property
    def hooks(self) -> Sequence[HookRoute]:
        """Every webhook that this node's handlers take."""
        ...

    async def enqueue(self, webhook: Webhook) -> Literal["queued", "duplicate"]:
        """Return once `webhook` is safely queued, or recognised as one that was.

        Raises:
            QueueFull: a limit is reached.
            StoreError: Redis did not take it, or did not say so.
            WireError: it is too large to be queued.
        """
        ...

    async def respond(self, webhook: Webhook) -> Response:
        """Have `webhook` handled here and now, and return what its sender is answered.

        Raises:
            QueueFull: too many wait for answers.
            StoreError, WireError: what the handler said could not be queued.
        """
        ...

    def new_id(self) -> str:
        """Return an identifier that nothing else has."""
        ...

    def now(self) -> float:
        """Return the time of day in Unix seconds."""
        ...


class Letters(Protocol):
    """The cluster's dead letters; each of these raises StoreError if Redis cannot be asked."""

    async def find(self, query: Query, most: int, after: str = "") -> Page:
        """Return at most `most` of the letters `query` means, those behind the entry `after`.

        Raises:
            UsageError: `after` is not the id of a letter.
        """
        ...

    async def read(self, entry: str) -> Letter | None:
        """Return a letter, or None when there is none (any more).

        Raises:
            UsageError: `entry` is not the id of a letter.
        """
        ...

    async def retry(self, entry: str, by: str) -> bool:
        """Put a letter back where it waited; False when it is gone.

        Raises:
            QueueFull: there is no room where it waited.
            WireError: it cannot be read.
            UsageError: `entry` is not the id of a letter.
        """
        ...

    async def drop(self, entry: str, by: str) -> bool:
        """Drop a letter for good; False when it is gone.

        Raises:
            UsageError: `entry` is not the id of a letter.
        """
        ...


class Orders(Protocol):
    """What operators order; each of these raises StoreError if Redis cannot be asked."""

    async def pause(
        self, *, by: str, reason: str = "", seconds: float | None = None
    ) -> msgspec.Struct:
        """Let nobody become master by itself, for so many seconds or until `resume`."""
        ...

    async def resume(self, *, by: str = "") -> bool:
        """End the pause; False if there was none."""
        ...

    async def drain(
        self, node: str, *, by: str, reason: str = "", force: bool = False
    ) -> msgspec.Struct:
        """Have a node take no new work and never be master.

        Raises:
            UsageError: it is not known, or nobody could be master in its place.
        """
        ...

    async def undrain(self, node: str, *, by: str = "") -> bool:
        """Take a drain back; False if there was none.

        Raises:
            UsageError: it is not known.
        """
        ...


class Node(HookNode, Protocol):
    """The node as its HTTP clients see it."""

    @property
    def name(self) -> str:
        """The node's name in the cluster."""
        ...

    @property
    def letters(self) -> Letters:
        """The cluster's dead letters."""
        ...

    @property
    def orders(self) -> Orders:
        """What operators may order of the cluster."""
        ...

    def lease_left(self) -> float:
        """Return the seconds this node surely stays master, as of now; 0.0 when it is not."""
        ...

    def readiness(self) -> list[str]:
        """Return why this node may not take traffic; nothing when it may."""
        ...

    def notes(self) -> list[str]:
        """Return what is to be known of this node although it may take traffic."""
        ...

    async def status(self) -> msgspec.Struct:
        """Return what is known of the whole cluster, as a value that encodes to JSON.

        Raises:
            StoreError: Redis cannot be asked.
        """
        ...

    async def agenda(self) -> msgspec.Struct:
        """Return what is still to come, jobs and schedules, as a value that encodes to JSON.

        Raises:
            StoreError: Redis cannot be asked.
        """
        ...

    async def audit(self) -> Sequence[msgspec.Struct]:
        """Return what was done lately that not everybody may, the newest first.

        Raises:
            StoreError: Redis cannot be asked.
        """
        ...

    async def history(self) -> msgspec.Struct:
        """Return the terms of the masters, the newest of them, as a value that encodes to JSON.

        Raises:
            StoreError: Redis cannot be asked.
        """
        ...

    async def cancel(self, job_id: str) -> bool:
        """Take back a job; False when none waits under that id.

        Raises:
            StoreError: Redis cannot be asked.
        """
        ...

    async def step_down(
        self, order: Order, *, leaver: str = "", patience: float = 10.0
    ) -> msgspec.Struct:
        """Move the lease as `order` says, if `leaver` has it, where that is named; tell how once it is moved.

        Raises:
            StepDownRefused: it is not moved, or not in so many seconds.
            StoreError: Redis cannot be asked.
        """
        ...

    async def schedule_step_down(
        self, order: Order, at: str, *, leaver: str = ""
    ) -> msgspec.Struct:
        """Have that done at a time, and tell what waits then.

        Raises:
            UsageError: that is no time, or it has gone by.
            StepDownRefused: another waits, or it could not be done now.
            StoreError: Redis cannot be asked.
        """
        ...

    async def cancel_step_down(self, by: str) -> bool:
        """Take back what waits, as `by` wants it; False when nothing does.

        Raises:
            StoreError: Redis cannot be asked.
        """
        ...
