"""What a server's lines mean, and what must be answered: one `Session` for each connection, without any I/O.

connect ──► CAP LS, PASS, NICK, USER ──► CAP REQ ──► AUTHENTICATE ──► CAP END ──► 001 ──► JOIN
                 ▲          │ 433: the next nick
                 └──────────┘
"""

from __future__ import annotations

import contextlib
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import ClassVar

from ircstates.server import Server
from irctokens.line import Line

from hachat.chat.irc.events import Ended, Event, Happened, Heard, Listed, Refused, Registered, Write
from hachat.chat.irc.happenings import read_happening
from hachat.chat.irc.names import choose_channels, find_nick, find_recipient
from hachat.chat.irc.settings import IrcSettings
from hachat.chat.irc.wire import (
    RUBBISH,
    alternate_nick,
    format_line,
    join_lines,
    read_line,
    read_text,
    spare_nick,
)
from hachat.core.messages import Room, User

_NICKS = 3  # alternates that are tried
_BOT_TAGS = frozenset(("bot", "draft/bot"))
"""What a server adds to the words of who has said to be a bot, https://ircv3.net/specs/extensions/bot-mode."""

_TAGS = ("account-tag", "message-tags")
_SASL_CHUNK = 400
_WHOX = "321"  # marks the answers to our own questions


class Session:
    """The state of one connection: our nick, our channels, how the server compares names.

    One that is `waiting` begins under a spare nick, because another connection of ours has the real one.
    """

    def __init__(
        self, settings: IrcSettings, nick: str, name: str = "irc", *, waiting: bool = False
    ) -> None:
        self._settings = settings
        self._wanted = nick
        self._waiting = waiting
        self.name = name
        self._server = Server(name)
        self._refusals = 0
        self._logged_in = False
        self._listed: list[User] = []
        self._rooms: Mapping[str, str | None] = {}

    @property
    def nick(self) -> str:
        """The nick the server knows us by; empty before it has let us in."""
        return self._server.nickname

    def open(self) -> list[bytes]:
        """Return the lines with which a connection begins."""
        settings = self._settings
        lines = [self._line("CAP", "LS", "302")]
        if settings.password:
            lines.append(self._line("PASS", settings.password))
        user, realname = settings.user or self._wanted, settings.realname or self._wanted
        return [
            *lines,
            self._line("NICK", self._find_nick(0)),
            self._line("USER", user, "0", "*", realname),
        ]

    def restore(self) -> list[bytes]:
        """Return the lines that ask for what we should have and have not: our own nick, the channels."""
        lines = list(
            join_lines(filter(self._is_missing, self._list_channels()), self._settings.encoding)
        )
        # The nick first, so that a channel sees who it knows come in.
        return lines if self._is_me(self._wanted) else [self._line("NICK", self._wanted), *lines]

    def expect(self, rooms: Mapping[str, str | None]) -> None:
        """Take note of where we should be with which key, or, where that is None, not be, whatever the settings say."""
        self._rooms = rooms

    def join(self, channel: str, key: str = "") -> bytes:
        """Return the line that asks to be in `channel`."""
        return self._line("JOIN", channel, *([key] if key else []))

    def part(self, channel: str) -> bytes:
        """Return the line with which we leave `channel`."""
        return self._line("PART", channel)

    def assure(self) -> bytes:
        """Return the line that answers a PING that we may not have read yet."""
        return self._line("PONG", self.name)

    def ask_who(self, mask: str) -> bytes:
        """Return the line that asks who is in a channel, or has a nick; a `Listed` will answer it."""
        if self._server.isupport.whox:
            return self._line("WHO", mask, f"%tuhna,{_WHOX}")
        return self._line("WHO", mask)

    def is_in(self, channel: str) -> bool:
        """Tell whether we are in `channel`."""
        return bool(self._server.has_channel(channel))

    def is_ours(self, channel: str) -> bool:
        """Tell whether we should be in `channel`."""
        return any(self.is_same(channel, one.partition(" ")[0]) for one in self._list_channels())

    def is_channel(self, name: str) -> bool:
        """Tell whether `name` is that of a channel, not a nick."""
        return bool(self._server.is_channel(name))

    def find_nick(self, account: str) -> str:
        """Return the nick of someone who is logged in as `account` and was heard of; empty if there is none."""
        return find_nick(self._server, account)

    def find_recipient(self, user: str) -> str:
        """Return the nick under which whoever has the id `user` is reached; empty if it may be somebody else's."""
        return find_recipient(self._server, user)

    def fold(self, name: str) -> str:
        """Return the one form of a name that the server takes for the same in several."""
        return str(self._server.casefold(name))

    def is_same(self, one: str, other: str) -> bool:
        """Tell whether the server takes two names for the same."""
        return self.fold(one) == self.fold(other)

    def receive(self, data: bytes) -> Sequence[Event]:
        """Return what a line from the server means; nothing, when it is not one."""
        line = read_line(data, self._settings.encoding)
        if line is None:
            return ()
        with contextlib.suppress(*RUBBISH):
            self._server.parse_tokens(line)
        try:
            react = self._reactions.get(line.command)
            return (*(react(self, line) if react else ()), *self._note_happening(line))
        except RUBBISH:
            return ()

    def _on_ping(self, line: Line) -> Iterator[Event]:
        yield Write(self._line("PONG", line.params[0]))

    def _on_error(self, line: Line) -> Iterator[Event]:
        yield Ended(line.params[0])

    def _on_refusal(self, line: Line) -> Iterator[Event]:
        yield Refused(" ".join(line.params[1:]))

    def _on_welcome(self, _: Line) -> Iterator[Event]:
        if self._settings.sasl_username and not self._logged_in:
            yield Ended("the server offers no SASL login")
        else:
            yield Registered()

    def _on_settled(self, _: Line) -> Iterator[Event]:
        """Say that we are a bot, where the server has a mode for that."""
        if mode := self._server.isupport.raw.get("BOT"):
            yield Write(self._line("MODE", self.nick, f"+{mode}"))

    def _on_nick_refused(self, line: Line) -> Iterator[Event]:
        if self._server.registered:
            return
        self._refusals += 1
        if self._refusals > _NICKS:
            yield Ended(f"no nick is free: {line.params[-1]}")
        else:
            yield Write(self._line("NICK", self._find_nick(self._refusals)))

    def _find_nick(self, refusals: int) -> str:
        find, first = (spare_nick, 1) if self._waiting else (alternate_nick, 0)
        return find(self._wanted, first + refusals)

    def _on_cap(self, line: Line) -> Iterator[Event]:
        verb, partial = line.params[1].upper(), line.params[2] == "*"
        if verb == "LS" and not partial:
            wanted = (*_TAGS, "sasl") if self._settings.sasl_username else _TAGS
            offered = [name for name in wanted if name in self._server.available_caps]
            yield Write(self._line("CAP", "REQ", " ".join(offered)) if offered else self._end_cap())
        elif verb == "ACK" and "sasl" in self._server.agreed_caps:
            yield Write(self._line("AUTHENTICATE", "PLAIN"))
        elif verb in {"ACK", "NAK"}:
            yield Write(self._end_cap())

    def _on_authenticate(self, _: Line) -> Iterator[Event]:
        name, password = self._settings.sasl_username, self._settings.sasl_password
        answer = b64encode(f"{name}\0{name}\0{password}".encode()).decode()
        for start in range(0, len(answer) + 1, _SASL_CHUNK):
            yield Write(self._line("AUTHENTICATE", answer[start : start + _SASL_CHUNK] or "+"))

    def _on_logged_in(self, _: Line) -> Iterator[Event]:
        self._logged_in = True
        yield Write(self._end_cap())

    def _on_login_refused(self, line: Line) -> Iterator[Event]:
        yield Ended(f"the SASL login was refused: {line.params[-1]}")

    def _on_someone_left_nick(self, line: Line) -> Iterator[Event]:
        if self.fold(line.hostmask.nickname) == self.fold(self._wanted) and not self._is_me(
            self._wanted
        ):
            yield Write(self._line("NICK", self._wanted))

    def _on_message(self, line: Line) -> Iterator[Event]:
        nick, target = (
            line.hostmask.nickname,
            line.params[0].lstrip("".join(self._server.isupport.statusmsg)),
        )
        text = read_text(line.params[1], nick)
        if self._is_me(nick) or not text:
            return
        private = not self._server.is_channel(target)
        place = nick if private else target
        tags = line.tags or {}
        account = tags.get("account") or ""
        if account and self._server.has_user(nick):
            self._server.users[self.fold(nick)].account = account
        yield Heard(
            Room(self.name, self.fold(place), place, private),
            self._make_user(line),
            text,
            tags.get("msgid", ""),
        )

    def _note_happening(self, line: Line) -> Iterator[Event]:
        happening = read_happening(line)
        if happening is None or self._is_me(line.hostmask.nickname):
            return
        name, channel, data = happening
        user, tags = self._make_user(line), line.tags or {}
        if name == "nick":
            mask = line.hostmask
            renamed = self.fold(f"{data['nick']}!{mask.username}@{mask.hostname}")
            data = {**data, "id": tags.get("account") or renamed}
        room = Room(self.name, self.fold(channel), channel) if channel else None
        yield Happened(name, room, user, data, tags.get("msgid", ""))

    def _make_user(self, line: Line) -> User:
        tags = line.tags or {}
        account = tags.get("account") or ""
        bot = not _BOT_TAGS.isdisjoint(tags)
        return User(account or self.fold(str(line.hostmask)), line.hostmask.nickname, bot)

    def _on_who(self, line: Line) -> Iterator[Event]:
        _, _, user, host, _, nick = line.params[:6]
        self._list(nick, user, host)
        yield from ()

    def _on_whox(self, line: Line) -> Iterator[Event]:
        _, kind, user, host, nick, account = line.params
        if kind == _WHOX:
            # Only where messages are signed with accounts are these the identities that are heard.
            signed = "account-tag" in self._server.agreed_caps and account != "0"
            self._list(nick, user, host, account if signed else "")
        yield from ()

    def _list(self, nick: str, user: str, host: str, account: str = "") -> None:
        if not self._is_me(nick):
            self._listed.append(User(account or self.fold(f"{nick}!{user}@{host}"), nick))

    def _on_end_of_who(self, line: Line) -> Iterator[Event]:
        users, self._listed = tuple(self._listed), []
        yield Listed(line.params[1], users)

    def _is_me(self, nick: str) -> bool:
        return self.fold(nick) == self.fold(self.nick)

    def _list_channels(self) -> Collection[str]:
        return choose_channels(self._settings.channels, self._rooms, self.fold)

    def _is_missing(self, channel: str) -> bool:
        return not self._server.has_channel(channel.partition(" ")[0])

    def _end_cap(self) -> bytes:
        return self._line("CAP", "END")

    def _line(self, command: str, *parameters: str) -> bytes:
        return format_line(command, *parameters, encoding=self._settings.encoding)

    _reactions: ClassVar[dict[str, Callable[[Session, Line], Iterator[Event]]]] = {
        "001": _on_welcome,
        "315": _on_end_of_who,
        "352": _on_who,
        "354": _on_whox,
        "903": _on_logged_in,
        "AUTHENTICATE": _on_authenticate,
        "CAP": _on_cap,
        "ERROR": _on_error,
        "NICK": _on_someone_left_nick,
        "PING": _on_ping,
        "PRIVMSG": _on_message,
        "QUIT": _on_someone_left_nick,
        **dict.fromkeys(("376", "422"), _on_settled),
        **dict.fromkeys(("432", "433", "436", "437"), _on_nick_refused),
        **dict.fromkeys(("902", "904", "905", "906"), _on_login_refused),
        **dict.fromkeys(("401", "403", "404", "405", "411", "412", "442"), _on_refusal),
        **dict.fromkeys(("471", "473", "474", "475", "477", "482"), _on_refusal),
    }
