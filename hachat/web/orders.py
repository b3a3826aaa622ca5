"""What operators order of the election and of nodes, under `/api/v1`."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from quart import Blueprint, abort, request

from hachat.web.node import Node
from hachat.web.responses import Answer, answer

S = TypeVar("S", bound=msgspec.Struct)

_Reason = Annotated[str, msgspec.Meta(max_length=500)]
_YEAR = 365 * 24 * 3600.0


class _Pause(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"seconds": "for"}):
    """The body of a pause."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=_YEAR)] | None = None
    reason: _Reason = ""


class _Drain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a drain."""

    reason: _Reason = ""
    force: bool = False


def add_orders(api: Blueprint, node: Node) -> None:
    """Add pausing, draining and what takes them back to `api`."""

    @api.post("/pause")
    async def pause() -> Answer:
        asked = await _read(_Pause)
        order = await node.orders.pause(
            by=_describe_caller(), reason=asked.reason, seconds=asked.seconds
        )
        return answer({"paused": order})

    @api.post("/resume")
    async def resume() -> Answer:
        return answer({"resumed": await node.orders.resume(by=_describe_caller())})

    @api.post("/drain/<name>")
    async def drain(name: str) -> Answer:
        asked = await _read(_Drain)
        return answer(
            await node.orders.drain(
                name, by=_describe_caller(), reason=asked.reason, force=asked.force
            )
        )

    @api.post("/undrain/<name>")
    async def undrain(name: str) -> Answer:
        done = await node.orders.undrain(name, by=_describe_caller())
        return answer({"node": name, "undrained": done})


async def _read(kind: type[S]) -> S:
    body = await request.get_data()
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        abort(400, f"the body is not what this takes: {error}")


def _describe_caller() -> str:
    return f"api from {request.remote_addr}"
