"""What `[chat.irc]` may say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from hachat.chat.irc.wire import is_target

Seconds = Annotated[float, msgspec.Meta(gt=0)]


class IrcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One IRC network.

    `port` 0 is 6697 with TLS and 6667 without.  `tls_ca` is a file of certificates to trust instead of the
    system's.  An empty `nick` is the bot's name, an empty `user` or `realname` the nick.  `password` is the
    server's.  A channel with a key is written `"#name key"`.

    `burst` lines go out at once, then one each `interval` seconds.  After `silence` seconds without a line the server
    is asked whether it is there, and given up after as long again.  A lost nick or channel is asked for
    again each `restore` seconds.
    """

    host: str
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    tls: bool = False
    tls_verify: bool = True
    tls_ca: str = ""
    nick: str = ""
    user: str = ""
    realname: str = ""
    password: str = ""
    sasl_username: str = ""
    sasl_password: str = ""
    channels: tuple[str, ...] = ()
    encoding: str = "utf-8"
    burst: Annotated[int, msgspec.Meta(ge=1)] = 5
    interval: Seconds = 0.5
    silence: Seconds = 60.0
    restore: Seconds = 30.0

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port to connect to."""
        return self.host, self.port or (6697 if self.tls else 6667)

    def check(self) -> Iterator[str]:
        """Yield a sentence for each thing that cannot work."""
        for name, value in (("nick", self.nick), ("user", self.user)):
            if value and not is_target(value):
                yield f"{name} {value!r} has a blank, a comma or a control character"
        for channel in self.channels:
            if not all(map(is_target, channel.split(" ", 1))):
                yield f'channel {channel!r} is not written "#name" or "#name key"'
        if not _carries_ascii(self.encoding):
            yield f"encoding {self.encoding!r} is unknown, or cannot carry IRC's own words"
        if bool(self.sasl_username) != bool(self.sasl_password):
            yield "sasl_username and sasl_password need each other"


def _carries_ascii(encoding: str) -> bool:
    try:
        return "PING :x\r\n".encode(encoding) == b"PING :x\r\n"
    except LookupError:
        return False
