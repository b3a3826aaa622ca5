"""Makes the calls that want an answer: who is in a room, who is this user."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from hachat.chat.abilities import Lookups, Rosters
from hachat.chat.adapter import Adapter
from hachat.core import wire
from hachat.core.errors import WireError
from hachat.core.messages import Answer, Reply, User

log = structlog.get_logger(__name__)


async def make_call(adapter: Adapter, call: Reply) -> Answer:
    """Return what `adapter` knows about `call`; raises what its method raises."""
    if call.op == "roster" and isinstance(adapter, Rosters):
        return _answer(call, await adapter.roster(call.channel))
    if call.op == "lookup" and isinstance(adapter, Lookups):
        user = await adapter.lookup(call.args.get("user", ""))
        return _answer(call, [user] if user else [])
    reason = f"{adapter.name} does not know {call.op}"
    return Answer(call.id, call.answer, error=reason, supported=False)


def refuse_call(call: Reply, reason: str) -> Answer:
    """Return the answer that there is none, and why."""
    log.warning("call not answered", room=call.room, op=call.op, call=call.id, reason=reason)
    return Answer(call.id, call.answer, error=wire.clean_text(reason))


def _answer(call: Reply, users: Sequence[User]) -> Answer:
    answer = Answer(call.id, call.answer, tuple(users))
    try:
        wire.encode(answer)
    except WireError as error:
        return refuse_call(call, f"the answer cannot be queued: {error}")
    return answer
