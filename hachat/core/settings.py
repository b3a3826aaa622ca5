"""Everything an operator can set, what each default is, and which combinations cannot work.

Times are seconds.  `docs/settings.md` is the reference for operators.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field, to_builtins
from msgspec.structs import asdict

from hachat.core.access import AccessSettings, find_fault, matches
from hachat.core.errors import SettingsError
from hachat.core.messages import Order
from hachat.core.redaction import mask
from hachat.core.redis_settings import YEAR, CountOrZero, RedisSettings, Seconds
from hachat.core.sections import convert_section, read_secrets
from hachat.core.timing import Timing

_ROUNDING = 1e-9

FAILOVER_REST = 3.0
"""Seconds of a Redis failover beside Sentinel's down-after: the election, promotion and rediscovery."""

DOWN_AFTER = 1.2
"""Sentinel's down-after that is recommended, seconds; why is told by docs/decisions/0012."""

_FAILOVER = DOWN_AFTER + FAILOVER_REST
"""Seconds a Redis failover takes with the down-after that is recommended."""

_BEATS = 3
"""Heartbeats that may be lost before a node is taken for dead."""


def _fault_of_name(name: str) -> str:
    if name and not re.search(r"[/:{}\s]", name):
        return ""
    return "expected a name without '/', ':', '{', '}' or white space, because keys are made of it"


DEFAULT_PRIORITY = 100
"""What a node's wish to be master weighs where nothing else is said."""

SecondsOrZero = Annotated[float, Meta(ge=0, le=YEAR)]
Count = Annotated[int, Meta(ge=1)]
Name = Annotated[str, Meta(extra={"check": _fault_of_name})]

Unknown = Literal["answer", "private", "quiet"]
"""What is done in a room about a command nobody knows: say so there, to whoever wrote it alone, or nothing."""

OnDoubt = Literal["resend", "skip"]
"""What to do with a reply that may have arrived where the service can tell nobody: say it again, or never."""


def _fault_of_language(text: str) -> str:
    known = re.fullmatch(r"[a-z]{2,3}(_[A-Z]{2})?", text)
    return "" if known else "expected a language, such as en or de_AT"


def _fault_of_room(text: str) -> str:
    known = not text or re.fullmatch(r"[^/\s]+/\S+", text)
    return "" if known else "expected the address of a room, such as irc/#ops"


class BotSettings(Struct, frozen=True, kw_only=True):
    """What the bot answers to.

    Attributes:
        name: The name that begins a command: `hachat: ping`.
        aliases: Other beginnings that mean the same, such as `!`.
        unknown: What becomes of a command that nobody knows, said in a room: see `Unknown`.
        language: What the bot speaks: `en`, or `de` or `de_AT` for German; handlers as far as they are translated.
        ignore: Users and rooms that are not listened to, by their addresses as `access` has them: `irc/troll*`, `irc/#noise`.
        admins_room: Where admins are told of what they should look at: an address such as `irc/#ops`.
    """

    name: Annotated[str, Meta(min_length=1)] = "hachat"
    aliases: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    unknown: Unknown = "answer"
    language: Annotated[str, Meta(extra={"check": _fault_of_language})] = "en"
    admins_room: Annotated[str, Meta(extra={"check": _fault_of_room})] = ""
    ignore: Annotated[tuple[str, ...], Meta(extra={"check": find_fault})] = ()

    def ignores(self, adapter: str, user: str, room: str) -> bool:
        """Tell whether what the user of this id says or does in the room of this address is to be passed over."""
        if not self.ignore:  # as nearly always
            return False
        addresses = (f"{adapter}/{user}", room)
        return any(matches(glob, address) for glob in self.ignore for address in addresses)


class LeaseSettings(Struct, frozen=True, kw_only=True):
    """How long a master may act without hearing from Redis, and how soon another may follow.

    Attributes:
        ttl: Life of the lease; a dead master is replaced this long after its last renewal.
        renew: Time between two renewals.
        op_timeout: Longest wait for the answer to a renewal.
        margin: How long before the lease ends everything done in its name is cancelled.
        send_timeout: Longest time a reply may take to be sent.
        lock_delay: How long Redis must have been the same server before a candidate trusts it.
        drift: Share by which the clocks of two nodes may differ in speed.
        priority: Of the nodes that could be master the highest is preferred; with 0 this node never is.
    """

    ttl: Seconds = 5.0
    renew: Seconds = 1.25
    op_timeout: Seconds = 0.4
    margin: Seconds = 0.5
    send_timeout: Seconds = 2.0
    lock_delay: SecondsOrZero = 7.0
    drift: Annotated[float, Meta(ge=0, lt=1)] = 0.01
    priority: CountOrZero = DEFAULT_PRIORITY

    @property
    def timing(self) -> Timing:
        """The same as the election takes it.

        Raises:
            SettingsError: the times cannot work together; `check` has said so before.
        """
        times = asdict(self)
        del times["priority"]
        return Timing(**times)

    def check(self) -> Iterator[str]:
        """Yield a fault for each rule of the election that the times break."""
        try:
            _ = self.timing
        except SettingsError as error:
            yield from error.faults


class QueueSettings(Struct, frozen=True, kw_only=True):
    """How much may wait before more is refused.

    Attributes:
        depth: Messages that may wait in a lane of the cluster, people's or work.
        mailbox: Messages that may wait in one conversation.
        outbox: Replies that may wait in one room.
        dead: Dead letters that are kept; the oldest beyond it are cut, and counted.
        dedupe: How long a second delivery of the same event is recognised.
        order: What a message waits for: others of its room, thread or user, or nothing.
        on_doubt: What to do with a reply that may have arrived, where the chat service cannot tell.
    """

    depth: Count = 100_000
    mailbox: Count = 1_000
    outbox: Count = 1_000
    dead: Count = 10_000
    dedupe: Seconds = 3600.0
    order: Order = "room"
    on_doubt: OnDoubt = "resend"


class WorkerSettings(Struct, frozen=True, kw_only=True):
    """How a node works through the queue.

    Attributes:
        chat_slots: Messages of people handled at once; 0 to leave them to other workers.
        work_slots: Webhooks and jobs handled at once; 0 to leave them to other workers.
        threads: Threads for handlers that are plain functions.
        processes: Processes for handlers with `run="process"`; 0 for as many as there are processors.
        timeout: Longest run of a handler.
        patience: How long a conversation waits for a message that is being handled before it goes on without it.
        grace: How long running handlers may take to finish when the node stops.
        heartbeat: Time between two signs of life.
        node_ttl: A node silent for this long is dead; others take over its messages.
    """

    chat_slots: CountOrZero = 64
    work_slots: CountOrZero = 32
    threads: Count = 16
    processes: CountOrZero = 0
    timeout: Seconds = 300.0
    patience: Seconds = 0.5
    grace: SecondsOrZero = 25.0
    heartbeat: Seconds = 3.0
    node_ttl: Seconds = 9.0

    def check(self) -> Iterator[str]:
        """Yield a fault where one lost heartbeat or two would make a living node look dead."""
        needed = _BEATS * self.heartbeat
        if needed > self.node_ttl + _ROUNDING:
            yield (
                f"{_BEATS} * heartbeat {self.heartbeat:g} = {needed:g} s is more than node_ttl"
                f" {self.node_ttl:g} s; raise node_ttl to at least {needed:g} or lower heartbeat"
            )


class WebSettings(Struct, frozen=True, kw_only=True):
    """Where the node serves HTTP.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 for any that is free.
        body_limit: Bytes of the largest request that is accepted.
        token: What API calls that change something must bring along; empty to refuse them.
    """

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    body_limit: Count = 1_048_576
    token: str = ""


class LogSettings(Struct, frozen=True, kw_only=True):
    """What is logged, and how it looks.

    Attributes:
        level: The least level that is logged.
        format: `pretty` for people, `json` for machines, `auto` for whichever reads it.
    """

    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    format: Literal["auto", "json", "pretty"] = "auto"


class Settings(Struct, frozen=True, kw_only=True):
    """All settings of a node.

    Attributes:
        cluster: Nodes with the same cluster and Redis work together.
        node: This node's name; the loader fills in the host's.
        handlers: Handlers to load, `package.module:Class`.
        bot: What the bot answers to.
        redis: Where Redis is.
        lease: Timings of the election.
        queue: Limits of what may wait.
        access: Who may do what.
        worker: How a node works through the queue.
        web: Where it serves HTTP.
        log: What is logged.
        chat: A section for each adapter in use; the adapter knows what belongs in it.
        handler: A section for each handler that has settings; the handler knows what belongs in it.
    """

    cluster: Name = "hachat"
    node: Name = ""
    handlers: tuple[str, ...] = ()
    bot: BotSettings = BotSettings()
    redis: RedisSettings = RedisSettings()
    lease: LeaseSettings = LeaseSettings()
    queue: QueueSettings = QueueSettings()
    access: AccessSettings = AccessSettings()
    worker: WorkerSettings = WorkerSettings()
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    chat: dict[str, dict[str, Any]] = field(default_factory=lambda: {"console": {}})
    handler: dict[str, dict[str, Any]] = field(default_factory=dict)


def _refuse(reference: str) -> str:
    raise OSError(f"no secret is read from {reference}")


def build(
    data: Mapping[str, Any], *, origin: str, read_secret: Callable[[str], str] = _refuse
) -> Settings:
    """Return the settings that `data` describes.

    Args:
        data: Tables as TOML has them; `EnvironmentText` stands for values from the environment.
        origin: Where the data came from, for the error.
        read_secret: Returns the secret in the file, or the credential, that a `..._file` setting names.

    Raises:
        SettingsError: with every fault there is.
    """
    faults: list[str] = []
    plain = read_secrets(data, read_secret, faults)
    return convert_section(plain, Settings, "", origin=origin, faults=faults)


def warnings(settings: Settings) -> list[str]:
    """Return a sentence for each thing that works but promises less than it could."""
    lease, redis = settings.lease, settings.redis
    found = []
    if redis.sentinels and lease.ttl - lease.margin < _FAILOVER:
        found.append(
            f"lease: ttl {lease.ttl:g} - margin {lease.margin:g} = {lease.ttl - lease.margin:g} s is less"
            f" than {_FAILOVER:g} s, which a failover by Sentinels takes (down-after {DOWN_AFTER:g} s + {FAILOVER_REST:g} s): the master"
            f" will lose its lease in one; raise ttl to {_FAILOVER + lease.margin:g}"
        )
    if redis.sentinels and not redis.replicas:
        found.append(
            "redis: replicas 0 with Sentinels: a failover may forget a lease that was just taken, and messages that"
            " were just acknowledged; leave it out, or set it to half the number of Redis servers"
        )
    found += _find_unknown_services(settings)
    room = settings.bot.admins_room
    if room and room.partition("/")[0] not in settings.chat:
        found.append(
            f"bot.admins_room: {room} is of no service that is set up, so admins are told nothing there;"
            f" known are {', '.join(settings.chat)}"
        )
    return found


def _find_unknown_services(settings: Settings) -> Iterator[str]:
    access = settings.access
    members = {
        "admins": access.admins,
        **{f"groups.{name}": who for name, who in access.groups.items()},
    }
    for name, who in members.items():
        for user in who:
            service = user.partition("/")[0]
            if service not in settings.chat and not set(service) & {"*", "?"}:
                yield (
                    f"access.{name}: {user} is of no service that is set up, so nobody is meant;"
                    f" known are {', '.join(settings.chat)}"
                )


def masked(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain data that may be printed: no secret is left in it."""
    plain: dict[str, Any] = mask(to_builtins(settings, enc_hook=str))
    return plain
