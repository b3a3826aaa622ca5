"""Runs what a message or a webhook is for, and keeps its errors from everybody else.

This is the one firewall between handlers and the daemon: whatever a handler raises is logged with the message's id and
becomes one short reply; only a cancel passes through.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec
import structlog
import trio

from hachat.bot.context import Bot, Context, Replies
from hachat.bot.router import Match, Router
from hachat.bot.routes import ChatRoute, HookRoute, Route
from hachat.bot.suggestion import suggest
from hachat.core.addressing import Address, Addressing
from hachat.core.errors import HandlerError
from hachat.core.messages import Inbound, Message, Reply, Webhook

log = structlog.get_logger(__name__)

_CONTAINED = (Exception, SystemExit)  # a library that exits must not take the node along

Permit = Callable[[Message, frozenset[str]], Awaitable[bool]]
"""Tells whether the sender of a message is in one of the groups."""


async def permit_nobody(message: Message, groups: frozenset[str]) -> bool:  # noqa: ARG001 - a Permit
    """Let nobody in: a command that names groups is not to be run by accident."""
    return False


class Call(msgspec.Struct, frozen=True):
    """A method about to be run, and what it has said so far."""

    name: str
    run: Callable[[], Awaitable[None]]
    replies: Replies


class Robot:
    """Handles what comes in, on the node it runs on.

    At most `threads` handlers that are not async run at once.  A message may take `timeout` seconds in all.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        name: str,
        aliases: Iterable[str] = (),
        *,
        node: str = "",
        threads: int = 16,
        timeout: float = 300.0,
        permit: Permit = permit_nobody,
    ) -> None:
        chat = [route for route in routes if isinstance(route, ChatRoute)]
        self.hooks: Sequence[HookRoute] = [r for r in routes if isinstance(r, HookRoute)]
        self.bot = Bot(
            name=name,
            node=node,
            handlers=tuple(dict.fromkeys(route.handler for route in routes)),
            commands=tuple(route.usage for route in chat if route.addressed),
        )
        self._router = Router(chat)
        self._hooks = {route.name: route for route in self.hooks}
        self._limiter = trio.CapacityLimiter(threads)
        self._permit = permit
        self.configure(aliases, timeout)

    def configure(self, aliases: Iterable[str], timeout: float) -> None:
        """Change what may change while messages are being handled; it holds for the next one."""
        self._addressing = Addressing(self.bot.name, aliases)
        self._timeout = timeout

    async def handle(self, inbound: Inbound) -> list[Reply]:
        """Run every route `inbound` is for, at the same time, and return what they said, route by route.

        Replies made before a handler failed are kept.

        Raises:
            HandlerError: no handler here has the route a webhook was accepted for; of handlers themselves, nothing.
        """
        self._refuse_stranger(inbound)
        calls: list[Call] = []
        failures: list[str] = []
        with trio.CancelScope(deadline=trio.current_time() + self._timeout) as scope:
            try:
                calls += self._find(inbound)
                await self._run(inbound, calls, failures)
            except* _CONTAINED as faults:
                self._note(inbound, "", faults, failures)
        replies = [reply for call in calls for reply in call.replies]
        if scope.cancelled_caught:
            log.error(
                "a handler took too long",
                **self._facts(inbound),
                routes=[call.name for call in calls],
                seconds=self._timeout,
            )
            return replies + self._apologise(inbound, "that took too long")
        return replies + (self._apologise(inbound, "that went wrong") if failures else [])

    async def _run(self, inbound: Inbound, calls: Sequence[Call], failures: list[str]) -> None:
        if len(calls) == 1:  # as nearly always; it needs no task of its own
            await self._run_one(inbound, calls[0], failures)
            return
        async with trio.open_nursery() as nursery:
            for call in calls:
                nursery.start_soon(self._run_one, inbound, call, failures, name=call.name)

    async def _run_one(self, inbound: Inbound, call: Call, failures: list[str]) -> None:
        try:
            await call.run()
        except* _CONTAINED as faults:
            self._note(inbound, call.name, faults, failures)
        finally:
            call.replies.close()

    def _note(
        self,
        inbound: Inbound,
        route: str,
        faults: BaseExceptionGroup[BaseException],
        failures: list[str],
    ) -> None:
        failures.append(route)
        log.error("a handler failed", **self._facts(inbound), route=route, exc_info=_plain(faults))

    def _refuse_stranger(self, inbound: Inbound) -> None:
        if isinstance(inbound, Webhook) and inbound.route not in self._hooks:
            raise HandlerError(
                f"no handler on node {self.bot.node} has the route {inbound.route}; load the same handlers on every node"
            )

    def _find(self, inbound: Inbound) -> list[Call]:
        if isinstance(inbound, Webhook):
            return self._find_hook(inbound)
        if inbound.user.id.casefold() == self.bot.name.casefold():
            return []
        address = self._addressing.read(inbound.text, private=inbound.room.private)
        matches = self._router.match(inbound.text, address)
        if not matches and address is not None and address.called:
            return [self._answer_unknown(inbound, address)]
        prefix = address.prefix if address else f"{self.bot.name} "
        return [self._call_chat(inbound, match, prefix) for match in matches]

    def _find_hook(self, webhook: Webhook) -> list[Call]:
        route = self._hooks[webhook.route]
        replies = Replies(webhook.id, route.name)
        context = Context(webhook, replies, self.bot, text=webhook.body)
        return [Call(route.name, partial(self._invoke_hook, route, context), replies)]

    def _call_chat(self, message: Message, match: Match, prefix: str) -> Call:
        replies = Replies(message.id, match.route.name)
        context = Context(
            message, replies, self.bot, text=match.text, prefix=prefix, match=match.found
        )
        return Call(match.route.name, partial(self._invoke_chat, match, context), replies)

    def _answer_unknown(self, message: Message, address: Address) -> Call:
        replies = Replies(message.id, "robot")

        async def answer() -> None:
            replies.add(message.room.address, suggest(address, self.bot.commands), message.thread)

        return Call("robot", answer, replies)

    async def _invoke_chat(self, match: Match, context: Context) -> None:
        groups = match.route.groups
        if match.fault:
            await context.reply(match.fault)
        elif groups and not await self._permit(context.message, groups):
            await context.reply(f"You may not do that: it is for {', '.join(sorted(groups))}.")
        else:
            await self._invoke(match.route, context, match.arguments)

    async def _invoke_hook(self, route: HookRoute, context: Context) -> None:
        arguments = route.read(context.webhook.body.encode())
        await self._invoke(route, context, {**context.webhook.variables, **arguments})

    async def _invoke(self, route: Route, context: Context, arguments: dict[str, Any]) -> None:
        if route.awaited:
            await route.call(context, **arguments)
            return
        # The thread cannot be stopped: at the deadline it is left behind, and keeps its place until it ends.
        await trio.to_thread.run_sync(
            partial(route.call, context, **arguments),
            abandon_on_cancel=True,
            limiter=self._limiter,
        )

    def _apologise(self, inbound: Inbound, what: str) -> list[Reply]:
        if not isinstance(inbound, Message):
            return []
        replies = Replies(inbound.id, "robot")
        replies.add(inbound.room.address, f"Sorry, {what} (id {inbound.id}).", inbound.thread)
        return list(replies)

    def _facts(self, inbound: Inbound) -> dict[str, str]:
        return {"message": inbound.id, "node": self.bot.node}


def _plain(faults: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error in a group of one, which reads better in a log."""
    return faults.exceptions[0] if len(faults.exceptions) == 1 else faults
