"""The master's duty: the chat connections and the way out, for as long as a term lasts; and getting ready for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import trio
from msgspec.structs import replace

from hachat.bot.texts import own_texts
from hachat.chat.adapter import Adapter, Connection
from hachat.chat.drain import Drain
from hachat.chat.ingest import Ingest
from hachat.chat.operations import Operations
from hachat.chat.warmup import find_fault, warm_up
from hachat.cluster.pulse import Notifier
from hachat.cluster.schedule import ScheduleKeeper
from hachat.cluster.term import Term
from hachat.core.messages import Event, Heard, Message, choose_key
from hachat.core.settings import Settings
from hachat.daemon.chat_states import ChatStates
from hachat.daemon.floor import FloorKeeper
from hachat.daemon.letters import LetterKeeper
from hachat.daemon.notices import NoticeKeeper
from hachat.daemon.subjects import make_subjects
from hachat.store.audit import Audit
from hachat.store.commits import Queued
from hachat.store.dead import DeadLetters
from hachat.store.inbound import Inbound
from hachat.store.keys import Keys
from hachat.store.link import Link
from hachat.store.members import Newest
from hachat.store.notices import Notices
from hachat.store.outbound import Outbound
from hachat.store.rooms import Rooms
from hachat.store.sent import Sent


class MasterDuty:
    """What this node does while it is master; `run` is given to the elector."""

    def __init__(
        self,
        settings: Settings,
        link: Link,
        keys: Keys,
        adapters: Mapping[str, Adapter],
        *,
        inbound: Inbound,
        letters: DeadLetters,
        floor: FloorKeeper,
        notifier: Notifier,
        newest: Newest,
        tell: Callable[[str, str], None] = lambda name, about: None,  # noqa: ARG005 - nobody wants to know
    ) -> None:
        self._settings = settings
        self._texts = own_texts(settings.bot.language)
        self._link = link
        self._keys = keys
        self._adapters = adapters
        self._inbound = inbound
        self._letters = letters
        self._audit = Audit(link, keys)
        self._floor = floor
        self._notifier = notifier
        self._newest = newest
        self._tell = tell

    async def get_ready(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Do whatever can be done of it before the lease is ours, and keep that until cancelled."""
        await warm_up(self._adapters.values(), task_status=task_status)

    async def run(self, chat_states: ChatStates, term: Term) -> None:
        """Hear, and send what is outbound, until the term is to end and what was under way has been reported.

        Raises:
            Fenced: the lease is not ours any more (in a group).
        """
        await self._floor.keep(term.epoch)
        self._notifier.status(f"master, epoch {term.epoch}")
        self._tell("master gained", str(term.epoch))
        outbound = Outbound(self._link, self._keys, term.token, lambda: self._inbound.limits)
        rooms = Rooms(self._link, self._keys)
        drain = Drain(
            outbound,
            self._link,
            self._adapters,
            term,
            send_timeout=self._settings.lease.send_timeout,
            newest=self._newest,
            on_doubt=self._settings.queue.on_doubt,
            operations=Operations(Sent(self._link, self._keys), rooms),
            say=self._texts.say,
        )

        def note_change() -> None:
            chat_states.changed()
            term.health.note(find_fault(connections))

        connections = [
            Connection(adapter, on_change=note_change, find_rooms=rooms.read)
            for adapter in self._adapters.values()
        ]
        try:
            async with trio.open_nursery() as chat:
                chat.start_soon(chat_states.show, connections)
                chat.start_soon(LetterKeeper(self._letters, self._audit).run)
                if room := self._settings.bot.admins_room:
                    notices = Notices(self._link, self._keys, room, lambda: self._inbound.limits)
                    subjects = make_subjects(
                        self._link, self._keys, self._letters, connections, self._texts
                    )
                    chat.start_soon(NoticeKeeper(notices, subjects).run)
                chat.start_soon(ScheduleKeeper(self._link, self._keys, term.lease.token).run)
                for connection in connections:
                    await chat.start(connection.run, Ingest(self._enqueue, self._ignores))
                await drain.run()
                chat.cancel_scope.cancel()
        finally:
            self._notifier.status("standby")
            self._tell("master lost", str(term.epoch))

    def _ignores(self, heard: Heard) -> bool:
        """Tell whether operators want to know nothing of it."""
        adapter = heard.room.adapter if heard.room else getattr(heard, "adapter", "")
        user = heard.user.id if heard.user else ""
        room = heard.room.address if heard.room else ""
        return self._settings.bot.ignores(adapter, user, room)

    async def _enqueue(self, heard: Sequence[Heard]) -> list[Queued]:
        """Queue messages in the lane of people, and events as work, so that nobody stands behind a crowd that comes in."""
        order = self._inbound.limits.order
        messages = [one for one in heard if isinstance(one, Message)]
        if order != "room":
            messages = [replace(message, key=choose_key(message, order)) for message in messages]
        events = [one for one in heard if isinstance(one, Event)]
        outcomes = dict(
            zip(_ids(messages), await self._inbound.enqueue_all(messages, "chat"), strict=True)
        )
        outcomes |= zip(_ids(events), await self._inbound.enqueue_all(events, "work"), strict=True)
        return [outcomes[one.id] for one in heard]


def _ids(heard: Sequence[Heard]) -> list[str]:
    return [one.id for one in heard]
