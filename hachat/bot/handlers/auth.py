"""Who is in which group?  Admins say so in chat."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from hachat.bot.access import name_speaker
from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.core.access import ADMINS, is_group
from hachat.core.errors import FindError, GroupsFull, StoreError
from hachat.core.known import Known, read_id, read_name
from hachat.core.phrases import Phrase, gettext_noop

_ADDRESS = re.compile(r"[^/\s*?]+/[^\s*?]+")

_AWAY = gettext_noop("Redis does not answer me, so I cannot look after groups right now.")

_ADDED = gettext_noop("{user} is in {group} now.")
_WAS_THERE = gettext_noop("{user} is in {group} already.")
_REMOVED = gettext_noop("{user} is not in {group} any more.")
_WAS_NOT_THERE = gettext_noop("{user} was not in {group}.")
_BY_SETTINGS = gettext_noop("{user} is in {group} by my settings, which only they can change.")


class Auth(Handler):
    """Keeps groups."""

    @command(r"auth\s+add\s+(?P<user>\S.*?)\s+(?P<group>\S+)", groups={ADMINS})
    async def add(self, ctx: Context, user: str, group: str) -> None:
        """auth add USER GROUP -- take somebody into a group"""
        await _change(ctx, "add", user, group)

    @command(r"auth\s+remove\s+(?P<user>\S.*?)\s+(?P<group>\S+)", groups={ADMINS})
    async def remove(self, ctx: Context, user: str, group: str) -> None:
        """auth remove USER GROUP -- take somebody out of a group"""
        await _change(ctx, "remove", user, group)

    @command("auth list", groups={ADMINS})
    @command(r"auth\s+list\s+(?P<group>\S+)", groups={ADMINS})
    async def list(self, ctx: Context, group: str = "") -> None:
        """auth list [GROUP] -- tell who is in which group, and who said so"""
        try:
            lines = await _describe(ctx, group.casefold())
        except StoreError as error:
            ctx.log.warning("cannot read the groups", error=str(error))
            await ctx.reply(ctx.translate(_AWAY))
        else:
            nobody = ctx.translate("Nobody is in {group}.", group=group)
            await ctx.reply("\n".join(lines) or nobody)


async def _change(ctx: Context, what: Literal["add", "remove"], user: str, group: str) -> None:
    group = group.casefold()
    if group == ADMINS:
        await ctx.reply(ctx.translate("Admins are named in my settings alone, in access.admins."))
        return
    if not is_group(group):
        await ctx.reply(
            ctx.translate("A group's name has a-z, 0-9, _ and -, 50 characters at most.")
        )
        return
    try:
        address = await _find(ctx, user)
        done = await ctx.access.change(what, group, address, name_speaker(ctx.message))
    except (FindError, GroupsFull) as error:
        await ctx.reply(ctx.explain(error))
    except StoreError as error:
        ctx.log.warning("cannot change a group", error=str(error))
        await ctx.reply(ctx.translate(_AWAY))
    else:
        await ctx.reply(_tell(ctx, what, address, group, done=done))


async def _find(ctx: Context, text: str) -> str:
    """Return the address of the user meant by `text`: nothing less than the whole name will do, or the id.

    Raises:
        FindError: nobody is, or it is not sure who; says so to whoever wrote it.
        StoreError: Redis did not answer.
    """
    adapter = ctx.room.adapter
    if _ADDRESS.fullmatch(text):
        return text  # somebody who need not have been met yet
    user = await ctx.find_user(text)
    known = Known(adapter, user.id, user.name)
    if read_id(adapter, text) == user.id or read_name(adapter, text) in known.names:
        return known.address
    raise FindError(Phrase("Do you mean {user}? Write the whole name, or the id.", user=known))


def _tell(ctx: Context, what: str, address: str, group: str, *, done: bool) -> str:
    said = partial(ctx.translate, user=address, group=group)
    if what == "add":
        return said(_ADDED) if done else said(_WAS_THERE)
    if ctx.access.settings.is_member(address, [group]):
        return said(_BY_SETTINGS)
    return said(_REMOVED) if done else said(_WAS_NOT_THERE)


async def _describe(ctx: Context, group: str) -> list[str]:
    settings = ctx.access.settings
    by_settings = ctx.translate("settings")
    members = [(ADMINS, user, by_settings) for user in settings.admins]
    members += [
        (name, user, by_settings) for name, users in settings.groups.items() for user in users
    ]
    members += [
        (name, user, ctx.translate("added by {user} {time}", user=one.by, time=_format(one.at)))
        for (name, user), one in (await ctx.access.read_members()).items()
    ]
    return [f"{name}: {user} ({why})" for name, user, why in sorted(members) if group in ("", name)]


def _format(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
