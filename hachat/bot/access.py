"""Who may run a command: told by the settings, and by the groups that admins keep in chat.

What is not known is not allowed: while Redis does not answer, nobody is in a group but those of whom the settings say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

import structlog
import trio

from hachat.bot.constraints import is_among
from hachat.bot.description import Usage
from hachat.core.access import ADMINS, AccessSettings
from hachat.core.errors import StoreError
from hachat.core.messages import Message
from hachat.core.phrases import Say, gettext_noop, say_english
from hachat.store.groups import Key, Membership
from hachat.store.trouble import report

log = structlog.get_logger(__name__)

LIFE = 3.0
"""Seconds for which a node goes by what it has read of the groups, unless it is told otherwise."""

UNKNOWN = gettext_noop(
    "I cannot tell whether you may do that, because Redis does not answer me; try again in a moment."
)
"""What is said when nobody can tell."""

RULED_OUT = gettext_noop("You may not do that: a rule in my settings forbids it here.")
"""What is said when a rule denies."""

_RESERVED = gettext_noop("You may not do that: it is for {groups}.")


class Groups(Protocol):
    """The groups that are kept in chat; `hachat.store.groups.Groups` is one."""

    async def read(self) -> Mapping[Key, Membership]:
        """Return all members of all groups."""
        ...

    async def change(self, what: Literal["add", "remove"], group: str, user: str, by: str) -> bool:
        """Take a user into a group, or out of it; False if it was so already."""
        ...


class Audit(Protocol):
    """Where it is noted who did what; `hachat.store.audit.Audit` is one."""

    async def note(self, did: str, by: str, **facts: str) -> None:
        """Note that `by` did something."""
        ...


class TransientGroups:
    """Groups that end with the process: for a robot without a cluster."""

    def __init__(self) -> None:
        self._members: dict[Key, Membership] = {}

    async def read(self) -> Mapping[Key, Membership]:
        """Return all members of all groups."""
        return dict(self._members)

    async def change(self, what: Literal["add", "remove"], group: str, user: str, by: str) -> bool:
        """Take a user into a group, or out of it; False if it was so already."""
        there = (group, user) in self._members
        if what == "add":
            self._members.setdefault((group, user), Membership(0.0, by))
        else:
            self._members.pop((group, user), None)
        return there != (what == "add")


class TransientAudit:
    """What was done, for as long as the process lives; `deeds` are the facts of each."""

    def __init__(self) -> None:
        self.deeds: list[dict[str, str]] = []

    async def note(self, did: str, by: str, **facts: str) -> None:
        """Note that `by` did something."""
        self.deeds.append({"did": did, "by": by, **facts})


class Access:
    """Tells who may do what, and refuses with `say`, in the bot's language.

    `settings` may be changed while it is used.  What it has read of the groups holds for `life` seconds, and until it
    changes them itself.
    """

    def __init__(
        self,
        settings: AccessSettings | None = None,
        groups: Groups | None = None,
        audit: Audit | None = None,
        *,
        life: float = LIFE,
        say: Say = say_english,
    ) -> None:
        self.settings = settings or AccessSettings()
        self._groups = groups or TransientGroups()
        self._audit = audit or TransientAudit()
        self._life = life
        self._say = say
        self._members: Mapping[Key, Membership] = {}
        self._until = -1.0
        self._reading = trio.Lock()

    async def judge(self, message: Message, route: str, text: str, groups: Iterable[str]) -> str:
        """Return why whoever sent `message` may not run `text` of `route`, which is for `groups`; nothing if it is allowed."""
        user, wanted = find_sender(message), set(groups)
        if self.settings.is_admin(user):
            return ""
        if rule := self.settings.find_rule(user, message.room.address, route, text):
            return "" if rule.effect == "allow" else self._say(RULED_OUT)
        if not wanted or self.settings.is_member(user, wanted):
            return ""
        try:
            members = await self.read_members()
        except StoreError as error:
            report(log, "cannot tell who is in which group, so nobody is", error)
            return self._say(UNKNOWN)
        if any((group, user) in members for group in wanted - {ADMINS}):
            return ""
        return self._say(_RESERVED, groups=", ".join(sorted(wanted)))

    async def shows(self, message: Message, usage: Usage) -> bool:
        """Tell whether whoever sent `message` is to be told that there is a command: if they may run it, in that room."""
        if not is_among(message.room, usage.rooms):
            return False
        return not await self.judge(message, usage.route, usage.line, usage.groups)

    async def permits(self, message: Message, groups: frozenset[str]) -> bool:
        """Tell whether whoever sent `message` is in one of the groups, or an admin."""
        return not await self.judge(message, "", "", groups)

    async def check(
        self,
        message: Message,
        route: str,
        text: str,
        groups: Iterable[str],
        *,
        noted: str | None = None,
    ) -> str:
        """Do what `judge` does, and note it if that is denied: as `noted`, where that is not the same as the text."""
        if refusal := await self.judge(message, route, text, groups):
            await self._note("denied", message, route, text if noted is None else noted)
        return refusal

    async def note(self, message: Message, route: str, text: str) -> str:
        """Note that a command for groups is run; return why it must not be, if it cannot be noted."""
        noted = await self._note("ran", message, route, text)
        return "" if noted else self._say(UNKNOWN)

    async def _note(self, did: str, message: Message, route: str, text: str) -> bool:
        facts = {"what": text, "route": route, "room": message.room.address, "id": message.id}
        try:
            await self._audit.note(did, name_speaker(message), **facts)
        except StoreError as error:
            report(log, "cannot note who runs what, so it is not run", error)
            return False
        return True

    async def change(self, what: Literal["add", "remove"], group: str, user: str, by: str) -> bool:
        """Take a user into a group, or out of it; False if it was so already.

        This node goes by it at once, others within the seconds of their `life`.

        Raises:
            GroupsFull: there are too many members.
            StoreError: Redis did not answer, or said no.
        """
        async with self._reading:
            self._until = -1.0
            return await self._groups.change(what, group, user, by)

    async def read_members(self) -> Mapping[Key, Membership]:
        """Return the members that groups were given in chat.

        Raises:
            StoreError: Redis did not answer.
        """
        async with self._reading:
            now = trio.current_time()
            if now >= self._until:
                self._members = await self._groups.read()
                self._until = now + self._life
            return self._members


def find_sender(message: Message) -> str:
    """Return the address of the user who sent `message`, whose rights it has."""
    return f"{message.room.adapter}/{message.user.id}"


def find_people(message: Message) -> frozenset[str]:
    """Return the addresses of the user who sent `message`, and of whoever did so in their name."""
    return frozenset(filter(None, (find_sender(message), message.by)))


def name_speaker(message: Message) -> str:
    """Return whom the audit trail names for `message`: who sent it, and as whom."""
    sender = find_sender(message)
    return f"{message.by} as {sender}" if message.by else sender
