"""Where Redis is, as operators set it.

Apart from the other settings, because `hachat release` needs these alone, and has milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

YEAR = 365 * 24 * 3600.0
"""The longest time that can be set, seconds."""

Seconds = Annotated[float, Meta(gt=0, le=YEAR)]
CountOrZero = Annotated[int, Meta(ge=0)]

_UNSET = -1
"""In the place of a number that depends on other settings; whoever sets one cannot give this."""


def _fault_of_url(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("//")
    if url and parts.scheme not in {"redis", "rediss", "unix"}:
        return "expected a URL that begins with redis://, rediss:// or unix://"
    try:
        usable = parts.port != 0
    except ValueError:
        usable = False
    return "" if usable else "expected a port between 1 and 65535"


def _fault_of_sentinels(sentinels: tuple[str, ...]) -> str:
    return "" if all(map(_is_address, sentinels)) else 'expected "host:port" for each Sentinel'


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and re.fullmatch("[0-9]{1,5}", port) is not None and 0 < int(port) < 1 << 16


class RedisSettings(Struct, frozen=True, kw_only=True):
    """Where Redis is: one server by `url`, or whichever one the Sentinels name.

    Attributes:
        url: A single server: `redis://`, `rediss://` or `unix://`.
        sentinels: `host:port` of each Sentinel; these replace `url`.
        service: What the Sentinels call the master.
        username: Who logs in to Redis; empty for the default user.
        password: Its password.
        sentinel_username: Who logs in to the Sentinels.
        sentinel_password: Its password.
        tls: Speak TLS to Redis and the Sentinels.
        tls_ca: File of the certificates to trust; empty for the system's.
        replicas: How many replicas must have what was written before it counts; 1 with Sentinels unless set.
        timeout: Longest wait for an answer of Redis.
    """

    url: Annotated[str, Meta(extra={"check": _fault_of_url})] = "redis://127.0.0.1:6379/0"
    sentinels: Annotated[tuple[str, ...], Meta(extra={"check": _fault_of_sentinels})] = ()
    service: Annotated[str, Meta(min_length=1)] = "mymaster"
    username: str = ""
    password: str = ""
    sentinel_username: str = ""
    sentinel_password: str = ""
    tls: bool = False
    tls_ca: str = ""
    replicas: CountOrZero = _UNSET
    timeout: Seconds = 2.0

    def __post_init__(self) -> None:
        """Fill in what follows from the rest."""
        if self.replicas == _UNSET:
            force_setattr(self, "replicas", 1 if self.sentinels else 0)

    def check(self) -> Iterator[str]:
        """Yield a fault unless exactly one of `url` and `sentinels` says where Redis is."""
        if not self.url and not self.sentinels:
            yield "neither url nor sentinels is set; give one of them"
        if self.sentinels and self.url not in {"", RedisSettings().url}:
            yield "url and sentinels are both set; keep one of them"
