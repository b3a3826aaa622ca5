"""Dead letters for tests, written as those who give something up write them."""

from __future__ import annotations

from msgspec.structs import replace

from hachat.core.messages import Inbound, Message, Reply, Room, User, Webhook
from hachat.core.wire import encode
from hachat.store.keys import Keys
from hachat.store.link import Link

WHY = "3 nodes died while handling it"


def message(number: int, room: str = "ops", **facts: object) -> Message:
    """Return a message that failed twice in one of its routes."""
    value = Message(f"m{number}", Room("t", room), User("u1"), f"text {number}", 1.0)
    return replace(value, **{"attempt": 2, "only": ("Deploy.deploy",), **facts})


def webhook(number: int) -> Webhook:
    """Return a webhook that failed once."""
    return Webhook(f"w{number}", "Deploy.deployed", "POST", "/hooks/deployed", 1.0, attempt=1)


def reply(number: int, room: str = "t/ops") -> Reply:
    """Return a reply."""
    return Reply(f"m{number}/ping/1", room, f"reply {number}")


async def bury(link: Link, keys: Keys, value: Inbound | Reply, why: str = WHY) -> str:
    """Make a dead letter of `value`, and return its entry."""
    kind, origin = (
        ("reply", value.room) if isinstance(value, Reply) else ("message", value.conversation)
    )
    data = value.id.encode() + b"|" + encode(value)
    return await bury_data(link, keys, kind, data, origin=origin, why=why)


async def bury_data(
    link: Link, keys: Keys, kind: str, data: bytes, *, origin: str = "t/ops", why: str = WHY
) -> str:
    """Make a dead letter of any bytes, and return its entry."""
    fields = ("kind", kind, "origin", origin, "data", data, "reason", why)
    entry: bytes = await link.command("XADD", keys.of("dead"), "*", *fields)
    return entry.decode()
