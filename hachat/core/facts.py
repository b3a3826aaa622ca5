"""What is known of a Redis, its replicas and Sentinels and of the nodes, and what a check makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

Verdict = Literal["ok", "warning", "UNSAFE", "unknown"]
"""`UNSAFE`: a promise does not hold as Redis is set up now; `warning`: it holds, until one more thing goes wrong."""


class Finding(Struct, frozen=True):
    """What one check has found, and what to do where that is not well."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.found}: {self.advice}" if self.advice else self.found


class Replica(Struct, frozen=True):
    """A replica as its master sees it; `lag` is seconds since it was heard of.

    `itself` is what it says when asked; `fault` why it could not be asked, `refusal` what it said instead.  Without
    any of the three nobody has asked it.
    """

    address: str
    online: bool
    lag: int
    itself: Server | None = None
    fault: str = ""
    refusal: str = ""


class Server(Struct, frozen=True):
    """A Redis as it describes itself; what it does not tell is None, or of `policy` and `fsync` empty.

    `clock` is how many seconds its clock is ahead of ours; `used` and `limit` are bytes, a limit of 0 is none.  A replica
    of `priority` 0 is never promoted; a master has none of its own.
    """

    product: str
    version: tuple[int, ...]
    replicas: Sequence[Replica]
    min_replicas: int | None
    max_lag: int | None
    append_only: bool | None
    policy: str
    used: int
    limit: int
    clock: float
    fsync: str = ""
    priority: int = 100


class Sentinel(Struct, frozen=True):
    """What one Sentinel says, or, as `fault`, why it says nothing; times are seconds."""

    address: str
    fault: str = ""
    master: str = ""
    config_epoch: int = 0
    quorum: int = 0
    known: int = 1
    down_after: float = 0.0
    failover_timeout: float = 0.0
    no_quorum: str = ""


class Peer(Struct, frozen=True):
    """A living node; `clock` is how many seconds its clock is ahead of ours, None if it did not answer."""

    name: str
    version: str
    clock: float | None = None


class Rights(Struct, frozen=True):
    """What our user may not do: `denied` are commands, keys as `~<pattern>`, channels as `&<pattern>`.

    `missing` are commands the server does not know, or only by another name.  `scripts` has, for each command of both
    that some run, their names; `failing` has, by the name of the script, why one does not run for another reason.
    """

    denied: Sequence[str] = ()
    missing: Sequence[str] = ()
    scripts: Mapping[str, Sequence[str]] = {}
    failing: Mapping[str, str] = {}


class Facts(Struct, frozen=True):
    """All that is known; `rights` is None where nobody has looked."""

    server: Server
    sentinels: Sequence[Sentinel] = ()
    peers: Sequence[Peer] = ()
    rights: Rights | None = None
