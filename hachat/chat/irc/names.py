"""What names mean on a server: who somebody is, and which channels are ours."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from ircstates.server import Server


def find_nick(server: Server, account: str) -> str:
    """Return the nick of someone who is logged in as `account` and was heard of; empty if there is none."""
    for user in server.users.values():
        if user.account == account:
            return str(user.nickname)
    return ""


def find_recipient(server: Server, user: str) -> str:
    """Return the nick under which whoever has the id `user` is reached; empty if it may be somebody else's."""
    nick, is_mask, _ = user.partition("!")
    if not is_mask:
        return find_nick(server, user)
    known = server.users.get(server.casefold(nick))
    if known is None or not known.hostname:
        return nick
    return nick if server.casefold(f"{nick}!{known.username}@{known.hostname}") == user else ""


def choose_channels(
    usual: Iterable[str], rooms: Mapping[str, str | None], fold: Callable[[str], str]
) -> Collection[str]:
    """Return where we should be, each `#name` or `#name key`: the `usual` ones, changed by what we were told.

    `rooms` are channels with their keys, or None where we were told to leave.  Without a key the usual one is kept.
    """
    wanted = {fold(one.partition(" ")[0]): one for one in usual}
    for room, key in rooms.items():
        name = fold(room)
        if key is None:
            wanted.pop(name, None)
        elif key or name not in wanted:
            wanted[name] = f"{room} {key}".rstrip()
    return wanted.values()
