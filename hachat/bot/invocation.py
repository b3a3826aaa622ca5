"""Calls the methods of handlers: whoever may, as often as they may, with middleware around, and then whoever wants to know of it."""

from __future__ import annotations

import time
from functools import partial

import structlog
import trio

from hachat.bot.arguments import look_up
from hachat.bot.catalogue import Catalogue
from hachat.bot.context import Context
from hachat.bot.middleware import Chain, Proceed, Refused
from hachat.bot.quoting import shorten
from hachat.bot.remote import run_remotely
from hachat.bot.router import Match, hide_secrets
from hachat.bot.routes import ChatRoute, EventRoute, HookRoute, JobRoute, Route
from hachat.bot.services import Services
from hachat.bot.texts import Texts
from hachat.core.errors import FindError
from hachat.core.messages import Event, Message
from hachat.core.rates import format_wait
from hachat.core.responses import Response

log = structlog.get_logger(__name__)

MOST_EMITTED = 8
"""How far one emitted event may lead to another."""


async def _is_confirmed(match: Match, context: Context, texts: Texts) -> bool:
    if (confirm := match.route.confirm) is None:
        return True
    question = texts.say("Really {command}?", command=shorten(hide_secrets(match)))
    return await context.confirm(question, within=confirm.within, who=confirm.who)


class Invoker:
    """Calls routes; methods that are not async in a thread of `limiter`."""

    def __init__(
        self,
        chain: Chain,
        catalogue: Catalogue,
        services: Services,
        limiter: trio.CapacityLimiter,
    ) -> None:
        self._chain = chain
        self._catalogue = catalogue
        self._services = services
        self._limiter = limiter
        self._texts = services.texts

    async def chat(self, match: Match, context: Context) -> None:
        """Run what a text is for, or tell why not."""
        route = match.route
        if match.fault:
            await context.reply(match.fault)
        elif refusal := await self._refuse(match, context.message):
            await context.reply(refusal)
            denied = {"route": route.name, "groups": sorted(route.groups)}
            await context.emit("route denied", denied)
            await self.tell(context)
        elif (reason := await self._put_off(match.route, context.message)) is not None:
            if reason and match.route.addressed:
                await context.reply(reason)
        elif not await _is_confirmed(match, context, self._texts):
            await context.reply(self._texts.say("Then I leave it: nothing was done."))
        elif refusal := await self._note(match, context):
            await context.reply(refusal)
        else:
            await self._run(match.route, context, partial(self._call_found, match, context))

    async def _refuse(self, match: Match, message: Message) -> str:
        """Return why somebody may not run a command; nothing if it is allowed."""
        route = match.route
        if not route.addressed:
            return ""
        return await self._services.access.check(
            message, route.name, match.text, route.groups, noted=hide_secrets(match)
        )

    async def _note(self, match: Match, context: Context) -> str:
        """Note who runs what is not for everybody, once; return why it must not be run, if that cannot be noted."""
        route = match.route
        if not route.addressed or not route.groups or context.questions.begun:
            return ""
        return await self._services.access.note(context.message, route.name, hide_secrets(match))

    async def hook(self, route: HookRoute, context: Context) -> object:
        """Run what a webhook is for, and return what that returns; a refusal where middleware allowed none of it."""
        arguments = {**context.webhook.variables, **route.read(context.webhook.body.encode())}
        result: object = None

        async def call() -> None:
            nonlocal result
            result = await self._call(route, context, arguments)

        refusal = await self._run(route, context, call)
        return result if refusal is None else Response({"error": str(refusal)}, 403)

    async def job(self, route: JobRoute, context: Context) -> None:
        """Run what has become due."""
        arguments = route.read(context.job.data)
        await self._run(route, context, partial(self._call, route, context, arguments))

    async def event(self, route: EventRoute, context: Context) -> None:
        """Run what wants to know of an event."""
        arguments = route.read(context.event)
        await self._run(route, context, partial(self._call, route, context, arguments))

    async def tell(self, context: Context, depth: int = 0) -> None:
        """Run whatever wants to know of what was emitted; one that fails is logged, and that is all."""
        for name, body in context.emitted:
            for route in self._catalogue.find_listeners(name):
                event = Event(context.id, name, time.time(), body=body)
                lent = context.lend(route.name, route.handler, route.owner, event)
                try:
                    await self._listen(route, lent, depth + 1)
                    context.adopt(lent)
                except* (Exception, SystemExit):
                    log.exception("a listener failed", id=context.id, route=route.name, on=name)

    async def _listen(self, route: EventRoute, context: Context, depth: int) -> None:
        if depth > MOST_EMITTED:
            raise RecursionError(f"{depth} events have led to one another; {route.name} is not run")
        call = partial(self._call, route, context, route.read(context.event))
        await self._chain.run(context, call)
        await self.tell(context, depth)

    async def _run(self, route: Route, context: Context, call: Proceed) -> Refused | None:
        """Run a route with all that stands around it, and return what has refused that, if anything has."""
        refused: Refused | None = None
        try:
            await self._chain.run(context, call)
        except Refused as refusal:
            refused = refusal
            log.info("refused", id=context.id, route=route.name, reason=str(refusal))
            if isinstance(context.inbound, Message) and str(refusal).strip():
                await context.reply(str(refusal))
        if context.emitted:
            await self.tell(context)
        return refused

    async def _call_found(self, match: Match, context: Context) -> None:
        route = match.route
        try:
            arguments = await look_up(
                match.arguments, route.kinds, self._services, context.room.adapter
            )
        except FindError as error:
            if route.addressed:  # else nobody has asked
                await context.reply(str(self._texts.tell(error)))
        else:
            result = await self._call(route, context, arguments)
            if isinstance(result, str):  # as in other bots, where that is said
                log.warning(
                    "what it returns is said to nobody; say it with ctx.reply",
                    route=route.name,
                    returned=shorten(result),
                )

    async def _put_off(self, route: ChatRoute, message: Message) -> str | None:
        """Return None if the route may be run now, else what is to be said about that, if anything."""
        rate = route.constraints.rate
        if rate is None or message.attempt or message.dialog:
            return None
        turn = await self._services.throttle(rate.name(route.name, message), rate)
        if not turn.wait:
            return None
        if not turn.first:
            return ""
        wait = format_wait(turn.wait)
        return self._texts.say("Not so often, please: again in {time}.", time=wait)

    async def _call(self, route: Route, context: Context, arguments: dict[str, object]) -> object:
        if route.awaited:
            return await route.call(context, **arguments)
        if route.policy.run == "process":
            await run_remotely(self._services.compute, route, context, arguments)
            return None
        # The thread cannot be stopped: at the deadline it is left behind, and keeps its place until it ends.
        return await trio.to_thread.run_sync(
            partial(route.call, context, **arguments),
            abandon_on_cancel=True,
            limiter=self._limiter,
        )
