"""What is said in the stream of events about a step-down: by whoever asks for it, by the master and by its successor."""

from __future__ import annotations

from hachat.core.errors import StepDownCode, StepDownRefused
from hachat.core.lease import EventKind, Token
from hachat.core.phrases import Phrase
from hachat.core.stepdown import Order
from hachat.store import control
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.scripts import load

_STEP_DOWN = load("lease_step_down")


class StepDowns:
    """The words of a step-down, all of which may be said twice."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._all_keys = keys
        self._lease = keys.of("lease")
        self._events = keys.of("events")
        self._audit = keys.of("audit")

    async def request_step_down(self, token: Token, request: str, order: Order) -> str:
        """Ask the master `token` to step down as `order` says; return the id of the request's event.

        `request` names the request: asked again under that name, it is still one.

        Raises:
            StepDownRefused: that is not the master any more.
            StoreUnavailable: no answer; the request may have been made.
            StoreRefused: Redis said no.
        """
        hold = f"{order.hold:.3f}" if order.hold else ""
        force = "1" if order.force else ""
        reply = await self._link.script(
            _STEP_DOWN,
            [self._lease, self._events, self._audit],
            [str(token), order.to, order.reason, order.by, request, hold, force],
        )
        if reply[0] != b"OK":
            now = reply[1].decode() or Phrase("nobody")
            raise StepDownRefused(
                Phrase(
                    "{old} is not the master any more, {new} is; look again with `hachat status`",
                    old=token,
                    new=now,
                ),
                "changed",
            )
        return str(reply[1].decode())

    async def prepare(self, token: Token, heir: str, request: str) -> None:
        """Ask the node `heir` to get ready for succeeding the master `token`; it answers under the name `request`.

        Raises:
            StoreError: it may not have heard it.
        """
        await self._announce("prepare", token=str(token), to=heir, request=request)

    async def ready(self, request: str) -> None:
        """Let the master know that this node is ready to succeed it, as it asked by `request`.

        Raises:
            StoreError: it may not have heard it.
        """
        await self._announce("ready", request=request)

    async def refuse(self, request: str, reason: str, code: StepDownCode) -> None:
        """Let whoever asked for something by `request` know why it does not happen.

        Raises:
            StoreError: nobody may have heard it.
        """
        await self._announce("refused", request=request, reason=reason, code=code)

    async def hold(self, node: str, seconds: float, *, by: str, reason: str) -> None:
        """Let `node` not become master for so many seconds.

        Raises:
            UsageError: no such node is known.
            StoreError: it may not have been written.
        """
        await control.hold(self._link, self._all_keys, node, seconds=seconds, by=by, reason=reason)

    async def _announce(self, kind: EventKind, **fields: str) -> None:
        flat = [text for pair in fields.items() for text in pair]
        await self._link.command(
            "XADD", self._events, "MAXLEN", "~", 1000, "*", "event", kind, *flat
        )
