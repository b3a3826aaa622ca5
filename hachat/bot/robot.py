"""Finds what a message, a webhook or a job is for, and has it run.

A `Run` is what is to be done about one of them.  Finding it is arithmetic; carrying it out may take minutes.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cached_property, partial

import trio

from hachat.bot.calls import Call, attend, reply_only
from hachat.bot.catalogue import Catalogue
from hachat.bot.context import Context
from hachat.bot.description import Bot
from hachat.bot.hearing import find_hearing, find_lapses
from hachat.bot.http import Http
from hachat.bot.inline import is_outcome, tell
from hachat.bot.invocation import Invoker
from hachat.bot.middleware import Chain
from hachat.bot.replies import Replies, make_replies
from hachat.bot.router import Match, Router
from hachat.bot.routes import Route
from hachat.bot.run import Run
from hachat.bot.services import Services
from hachat.bot.suggestion import answer, suggest
from hachat.bot.timers import Timers
from hachat.core.addressing import Address, Addressing
from hachat.core.errors import HandlerError, TooOld
from hachat.core.messages import (
    Event,
    Inbound,
    Job,
    Message,
    Reply,
    Webhook,
    name_replies,
)
from hachat.core.names import normalise
from hachat.store.dialogs import Question, is_expiry


class Robot:
    """Handles what comes in, on the node it runs on.

    At most `threads` handlers that are not async run at once.  A message may take `timeout` seconds in all.  What it says by
    itself is said in its `language`.  `services` are lent to the handlers; whoever puts the robot into a cluster fills them in.
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
        language: str = "en",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.services = Services(http=Http(name), language=language)
        self._texts = self.services.texts
        self._catalogue = catalogue = Catalogue(routes, node)
        self.hooks, self.jobs = catalogue.hooks, catalogue.jobs
        self.find_job = catalogue.find_job
        self._name = name
        self._own_id = name.casefold()
        self._router = Router(catalogue.chat, self._texts)
        self._chain = Chain(catalogue.middleware)
        self._limits = {
            route.name: trio.CapacityLimiter(route.policy.concurrency)
            for route in routes
            if route.policy.concurrency
        }
        self._now = now
        self._limiter = trio.CapacityLimiter(threads)
        self._invoker = Invoker(self._chain, catalogue, self.services, self._limiter)
        self.configure(aliases, timeout)

    def configure(self, aliases: Iterable[str], timeout: float) -> None:
        """Change what may change while messages are being handled; it holds for the next one."""
        self._addressing = Addressing(self._name, aliases)
        self._timeout = timeout

    @cached_property
    def bot(self) -> Bot:
        """What the bot can tell of itself, in its language."""
        return self._catalogue.describe(self._name, self.services.language)

    def begin(self, inbound: Inbound, questions: Sequence[Question] = ()) -> Run:
        """Return what is to be done about `inbound`: every route it is for, or what it is to one of the open `questions`.

        Raises:
            HandlerError: no handler here has the route a webhook or a job is for.
            TooOld: a webhook has waited longer than its route allows.
        """
        try:
            calls = self._find(inbound, questions)
        except (HandlerError, TooOld):
            raise
        except Exception as error:  # noqa: BLE001 - a pattern may fail on what it is given; it is logged
            run = self._make_run(inbound, ())
            run.fail("", error)
            return run
        return self._make_run(inbound, calls)

    def _make_run(self, inbound: Inbound, calls: Sequence[Call]) -> Run:
        return Run(inbound, calls, timeout=self._timeout, node=self.bot.node, texts=self._texts)

    async def handle(self, inbound: Inbound) -> list[Reply]:
        """Do what `carry_out` does, and return what was said; raises as that does."""
        return (await self.carry_out(inbound)).replies

    async def carry_out(self, inbound: Inbound, questions: Sequence[Question] = ()) -> Run:
        """Do what is to be done about `inbound` within the time it may take, and return how that went.

        Raises:
            HandlerError, TooOld: as `begin` does; of handlers themselves, nothing.
        """
        run = self.begin(inbound, questions)
        with trio.move_on_after(run.timeout) as scope:
            await run.carry_out()
        if scope.cancelled_caught:
            run.overrun()
        return run

    def _find(self, inbound: Inbound, questions: Sequence[Question]) -> list[Call]:
        match inbound:
            case Webhook():
                return self._find_hook(inbound)
            case Job():
                return self._find_due(inbound, questions)
            case Event():
                return self._find_happened(inbound)
            case Message():
                return self._find_said(inbound, questions)

    def _find_said(self, inbound: Message, questions: Sequence[Question]) -> list[Call]:
        message = self._receive(inbound)
        if message is None:
            return []
        address = self._addressing.read(message.text, private=message.room.private, me=message.me)
        matches = self._router.match(message.text, address, message.room)
        if message.user.bot:
            matches = [match for match in matches if match.route.constraints.bots]
        if message.only:
            return self._call_again(message, address, matches)
        if message.user.bot:
            return self._call_all(message, address, matches)
        return self._find_wanted(message, address, matches, questions)

    def _receive(self, message: Message) -> Message | None:
        """Return what is to be routed of a message; None if nothing is, or it is our own."""
        if message.user.id.casefold() == (message.me.casefold() or self._own_id):
            return None
        if message.dialog is not None:  # it has been received before
            return message
        self.services.people.meet(message)
        return self._chain.receive(message)

    def _find_wanted(
        self,
        message: Message,
        address: Address | None,
        matches: Sequence[Match],
        questions: Sequence[Question],
    ) -> list[Call]:
        """Return what somebody wants: an answer may be meant, and what nobody knows gets one."""
        command = any(match.route.addressed and match.found for match in matches)
        if hearing := find_hearing(
            message,
            address,
            questions,
            self.services.access.permits,
            is_command=command,
            texts=self._texts,
        ):
            return [attend(hearing)]
        if not matches and address is not None and address.called:
            return [self._puzzle(message, address)]
        return self._call_all(message, address, matches, questions)

    def _call_again(
        self, message: Message, address: Address | None, matches: Sequence[Match]
    ) -> list[Call]:
        """Return calls of the routes that failed before."""
        again = [match for match in matches if match.route.name in message.only]
        if gone := set(message.only) - {match.route.name for match in again}:
            raise HandlerError(
                f"no handler on node {self.bot.node} has the route {', '.join(sorted(gone))} for this message any more"
            )
        return self._call_all(message, address, again)

    def _call_all(
        self,
        message: Message,
        address: Address | None,
        matches: Iterable[Match],
        questions: Sequence[Question] = (),
    ) -> list[Call]:
        prefix = address.prefix if address else f"{self.bot.name} "
        age = self._now() - message.asked_at
        calls = []
        for match in matches:
            longest = match.route.policy.age
            if longest is None or age <= longest:
                calls.append(self._call_chat(message, match, prefix, questions))
            elif match.route.addressed:
                calls.append(self._refuse_stale(message, match))
        return calls

    def _find_hook(self, webhook: Webhook) -> list[Call]:
        route = self._catalogue.find_hook(webhook.route)
        age, longest = self._now() - webhook.at, route.policy.age
        if longest is not None and age > longest:
            raise TooOld(f"it is {age:.0f} s old; {route.name} takes none older than {longest:g} s")
        replies, timers = self._record(webhook, route)
        context = Context(
            webhook,
            replies,
            self.bot,
            timers,
            self.services,
            text=webhook.body,
            owner=route.owner,
        )
        return [
            self._make_call(route, partial(self._invoker.hook, route, context), replies, timers)
        ]

    def _find_due(self, job: Job, questions: Sequence[Question]) -> list[Call]:
        if is_expiry(job):
            return [attend(lapse) for lapse in find_lapses(job, questions, self._texts)]
        if is_outcome(job):
            replies = make_replies(job, job.route)
            return [tell(job, replies, Timers(job.route, "robot", self.find_job))]
        route = self._catalogue.find_due(job.route)
        replies, timers = self._record(job, route)
        context = Context(job, replies, self.bot, timers, self.services, owner=route.owner)
        return [self._make_call(route, partial(self._invoker.job, route, context), replies, timers)]

    def _find_happened(self, event: Event) -> list[Call]:
        calls = []
        for route in self._catalogue.find_listeners(event.name):
            if not event.only or route.name in event.only:
                replies, timers = self._record(event, route)
                context = Context(
                    event, replies, self.bot, timers, self.services, owner=route.owner
                )
                run = partial(self._invoker.event, route, context)
                calls.append(self._make_call(route, run, replies, timers))
        return calls

    def listens(self, event: str) -> bool:
        """Tell whether a handler here wants to know of `event`."""
        return bool(self._catalogue.find_listeners(normalise(event)))

    def _record(self, inbound: Inbound, route: Route) -> tuple[Replies, Timers]:
        """Return where a route's replies and timers are recorded."""
        replies = make_replies(inbound, route.name)
        replies.change = self._chain.reply
        return replies, Timers(route.name, route.handler, self.find_job)

    def _call_chat(
        self, message: Message, match: Match, prefix: str, questions: Sequence[Question]
    ) -> Call:
        replies, timers = self._record(message, match.route)
        context = Context(
            message,
            replies,
            self.bot,
            timers,
            self.services,
            text=match.text,
            prefix=prefix,
            match=match.found,
            open_=questions,
            owner=match.route.owner,
            extensions=match.route.extensions,
        )
        return self._make_call(
            match.route, partial(self._invoker.chat, match, context), replies, timers
        )

    def _make_call(
        self,
        route: Route,
        run: Callable[[], Awaitable[object]],
        replies: Replies,
        timers: Timers,
    ) -> Call:
        limit = self._limits.get(route.name)
        return Call(route.name, run, replies, route.policy, limit, timers)

    def _refuse_stale(self, message: Message, match: Match) -> Call:
        text = self._texts.say(
            "That reached me too late (id {id}); say it again if you still want it.", id=message.id
        )
        return reply_only(message, match.route.name, text)

    def _puzzle(self, message: Message, address: Address) -> Call:
        """Return the answer to a command that nobody knows."""
        replies = Replies(message.id, "robot", name_replies(message))
        timers = Timers("robot", "robot", self.find_job)

        async def puzzle() -> None:
            context = Context(
                message, replies, self.bot, timers, self.services, text=address.command
            )
            shows = self.services.access.shows
            allowed = [usage for usage in self.bot.commands if await shows(message, usage)]
            answer(context, suggest(address, allowed, self._texts), self.services.unknown)
            await context.emit("message unhandled", {"text": address.command})
            await self._invoker.tell(context)

        return Call("robot", puzzle, replies, timers=timers)
