"""A node for the web to speak for, and the application that does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec
import pytest
import trio

from hachat.core.stepdown import Order
from hachat.store.letter import Letter, Page, Query, check_entry
from hachat.web.server import make_app

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from hachat.core.messages import Webhook
from hachat.core.responses import Response
from hachat.core.signatures import Scheme, verify


class FakeRoute:
    """A handler's webhook whose check is whatever the test says."""

    def __init__(
        self,
        name: str,
        method: str,
        path: str,
        check: Callable[[bytes], None],
        *,
        inline: bool = False,
    ) -> None:
        self.name = name
        self.inline = inline
        self.method = method
        self.path = path
        self._check = check
        self.secret = ""
        self.signature: Scheme = "github"

    def authenticate(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Ask for a signature, if the test says so."""
        if self.secret:
            verify(self.signature, self.secret, headers, body, now)

    def check(self, body: bytes) -> None:
        """Do what the test says."""
        self._check(body)


class FakeStatus(msgspec.Struct):
    """As little of a cluster's status as a test needs."""

    master: str


class FakeAgenda(msgspec.Struct):
    """As little of what is to come as a test needs."""

    jobs: list[str]


class FakeHistory(msgspec.Struct):
    """As little of the masters' terms as a test needs."""

    terms: list[str]


class FakeLetters:
    """Dead letters in a dictionary; a test may set an error to be raised."""

    def __init__(self) -> None:
        self.kept: dict[str, Letter] = {}
        self.deeds: list[tuple[str, str, str]] = []
        self.asked: list[tuple[Query, int, str]] = []
        self.error: Exception | None = None

    async def find(self, query: Query, most: int, after: str = "") -> Page:
        """Note the question, and find all that is meant."""
        self._fail()
        self.asked.append((query, most, after))
        found = [letter for letter in self.kept.values() if query.matches(letter)]
        return Page(found[:most], found[most - 1].entry if len(found) > most else "")

    async def read(self, entry: str) -> Letter | None:
        """Look it up."""
        self._fail()
        return self.kept.get(check_entry(entry))

    async def retry(self, entry: str, by: str) -> bool:
        """Take it away if it can be read."""
        self._fail()
        if letter := self.kept.get(check_entry(entry)):
            letter.open()
        return self._take("retry", entry, by)

    async def drop(self, entry: str, by: str) -> bool:
        """Take it away."""
        self._fail()
        return self._take("drop", check_entry(entry), by)

    def _take(self, what: str, entry: str, by: str) -> bool:
        self.deeds.append((what, entry, by))
        return self.kept.pop(entry, None) is not None

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


class FakeOrder(msgspec.Struct):
    """As little of an order as a test needs."""

    by: str
    reason: str
    seconds: float | None = None
    force: bool = False


class FakeOrders:
    """Orders that are kept; a test may set an error to be raised."""

    def __init__(self) -> None:
        self.given: dict[str, FakeOrder] = {}
        self.error: Exception | None = None

    async def pause(self, *, by: str, reason: str = "", seconds: float | None = None) -> FakeOrder:
        """Keep it."""
        return self._keep("pause", FakeOrder(by, reason, seconds))

    async def resume(self, *, by: str = "") -> bool:
        """Forget it."""
        return self.given.pop("pause", None) is not None

    async def drain(
        self, node: str, *, by: str, reason: str = "", force: bool = False
    ) -> FakeOrder:
        """Keep it."""
        return self._keep(node, FakeOrder(by, reason, force=force))

    async def undrain(self, node: str, *, by: str = "") -> bool:
        """Forget it."""
        return self.given.pop(node, None) is not None

    def _keep(self, name: str, order: FakeOrder) -> FakeOrder:
        if self.error is not None:
            raise self.error
        self.given[name] = order
        return order


class FakeNode:
    """A node that queues in a list; a test turns its knobs."""

    def __init__(self) -> None:
        self.name = "alpha"
        self.hooks: list[FakeRoute] = []
        self.left = 0.0
        self.reasons: list[str] = []
        self.queued: list[Webhook] = []
        self.asked: list[Webhook] = []
        self.response = Response()
        self.error: Exception | None = None
        self.gate: trio.Event | None = None
        self.entered = trio.Event()
        self.master = "alpha"
        self.jobs = ["reminders/tea"]
        self.letters = FakeLetters()
        self.moves: list[tuple[Order, str, float | str]] = []
        self.recalled_by: list[str] = []
        self.scheduled = False
        self.orders = FakeOrders()
        self.noted: list[str] = []
        self._ids = 0
        self.claim("Deploy.deployed", "POST", "/deployed")
        self.claim("Deploy.ship", "PUT", "/deploy/<app>/<int:build>")
        self.claim("Deploy.poll", "GET", "/poll")

    def claim(
        self,
        name: str,
        method: str,
        path: str,
        check: Callable[[bytes], None] = lambda _body: None,
        *,
        inline: bool = False,
    ) -> None:
        """Have one more handler claim a path."""
        self.hooks.append(FakeRoute(name, method, path, check, inline=inline))

    def lease_left(self) -> float:
        """As the test says."""
        return self.left

    def readiness(self) -> list[str]:
        """As the test says."""
        return self.reasons

    def notes(self) -> list[str]:
        """As the test says."""
        return self.noted

    async def status(self) -> FakeStatus:
        """Fail as the test says, or tell who is master."""
        if self.error is not None:
            raise self.error
        return FakeStatus(self.master)

    async def agenda(self) -> FakeAgenda:
        """Fail as the test says, or tell the jobs."""
        if self.error is not None:
            raise self.error
        return FakeAgenda(self.jobs)

    async def audit(self) -> Sequence[msgspec.Struct]:
        """Fail as the test says, or tell the jobs as if they were deeds."""
        if self.error is not None:
            raise self.error
        return [FakeAgenda(self.jobs)]

    async def history(self) -> FakeHistory:
        """Fail as the test says, or tell the terms."""
        if self.error is not None:
            raise self.error
        return FakeHistory(["alpha/a1/0.7"])

    async def cancel(self, job_id: str) -> bool:
        """Take the job out of the list."""
        found = job_id in self.jobs
        self.jobs = [job for job in self.jobs if job != job_id]
        return found

    async def step_down(
        self, order: Order, *, leaver: str = "", patience: float = 10.0
    ) -> FakeStatus:
        """Keep the order, and fail as the test says."""
        self.moves.append((order, leaver, patience))
        if self.error is not None:
            raise self.error
        return FakeStatus("beta")

    async def schedule_step_down(self, order: Order, at: str, *, leaver: str = "") -> FakeStatus:
        """Keep the order, and fail as the test says."""
        self.moves.append((order, leaver, at))
        if self.error is not None:
            raise self.error
        self.scheduled = True
        return FakeStatus("alpha")

    async def cancel_step_down(self, by: str) -> bool:
        """Take back what is scheduled."""
        self.recalled_by.append(by)
        found, self.scheduled = self.scheduled, False
        return found

    async def enqueue(self, webhook: Webhook) -> Literal["queued", "duplicate"]:
        """Queue in the list, once the gate is open and unless an error is set."""
        if self.gate is not None:
            self.entered.set()
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        if any(queued.source == webhook.source for queued in self.queued):
            return "duplicate"
        self.queued.append(webhook)
        return "queued"

    async def respond(self, webhook: Webhook) -> Response:
        """Answer as a test has said, unless an error is set."""
        await trio.lowlevel.checkpoint()
        if self.error is not None:
            raise self.error
        self.asked.append(webhook)
        return self.response

    def new_id(self) -> str:
        """Count."""
        self._ids += 1
        return f"ID{self._ids}"

    def now(self) -> float:
        """Always the same instant."""
        return 1_700_000_000.0


@pytest.fixture
def node() -> FakeNode:
    """A standby with three webhooks, ready for traffic."""
    return FakeNode()


TOKEN = "s3cret"
"""What the API of `locked_client` wants to be shown."""


@pytest.fixture
def locked_client(node: FakeNode) -> TestClientProtocol:
    """A client of an application whose API wants a token."""
    return make_app(node, token=TOKEN).test_client()


@pytest.fixture
def client(node: FakeNode) -> TestClientProtocol:
    """A client of the application, without a socket."""
    return make_app(node, body_limit=1000).test_client()
