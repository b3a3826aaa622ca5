"""Who is in which group?  Admins say so in chat."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

from hachat.bot.access import name_speaker
from hachat.bot.context import Context
from hachat.bot.handler import Handler, command
from hachat.core.access import ADMINS, is_group
from hachat.core.errors import FindError, GroupsFull, StoreError
from hachat.core.known import Known, read_id, read_name

_ADDRESS = re.compile(r"[^/\s*?]+/[^\s*?]+")

_AWAY = "Redis does not answer me, so I cannot look after groups right now."


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
            await ctx.reply(_AWAY)
        else:
            await ctx.reply("\n".join(lines) or (f"Nobody is in {group}."))


async def _change(ctx: Context, what: Literal["add", "remove"], user: str, group: str) -> None:
    group = group.casefold()
    if group == ADMINS:
        await ctx.reply("Admins are named in my settings alone, in access.admins.")
        return
    if not is_group(group):
        await ctx.reply("A group's name has a-z, 0-9, _ and -, 50 characters at most.")
        return
    try:
        address = await _find(ctx, user)
        done = await ctx.access.change(what, group, address, name_speaker(ctx.message))
    except (FindError, GroupsFull) as error:
        await ctx.reply(str(error))
    except StoreError as error:
        ctx.log.warning("cannot change a group", error=str(error))
        await ctx.reply(_AWAY)
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
    raise FindError(f"Do you mean {known}? Write the whole name, or the id.")


def _tell(ctx: Context, what: str, address: str, group: str, *, done: bool) -> str:
    if what == "add":
        return f"{address} is in {group} now." if done else f"{address} is in {group} already."
    left = f"{address} is not in {group} any more." if done else f"{address} was not in {group}."
    if ctx.access.settings.is_member(address, [group]):
        return f"{address} is in {group} by my settings, which only they can change."
    return left


async def _describe(ctx: Context, group: str) -> list[str]:
    settings = ctx.access.settings
    members = [(ADMINS, user, "settings") for user in settings.admins]
    members += [
        (name, user, "settings") for name, users in settings.groups.items() for user in users
    ]
    members += [
        (name, user, f"added by {one.by} {_format(one.at)}")
        for (name, user), one in (await ctx.access.read_members()).items()
    ]
    return [f"{name}: {user} ({why})" for name, user, why in sorted(members) if group in ("", name)]


def _format(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
