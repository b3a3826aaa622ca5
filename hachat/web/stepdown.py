"""Stepping down, under `/api/v1/step-down`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from quart import Blueprint, abort, request

from hachat.core.errors import StepDownCode, StepDownRefused
from hachat.core.stepdown import Order
from hachat.web.node import Node
from hachat.web.responses import Answer, answer

STATUS: dict[StepDownCode, int] = {
    "pending": 409,
    "changed": 412,
    "ineligible": 412,
    "paused": 412,
}
"""The status of what is refused; all else is 503."""

_MOST = 86_400.0 * 365


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for; `from` is the master that is meant, `at` a time as the command takes it."""

    leaver: str = msgspec.field(default="", name="from")
    to: str = ""
    reason: str = "step-down"
    by: str = ""
    wait: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    force: bool = False
    hold: Annotated[float, msgspec.Meta(ge=0, le=_MOST)] = 0.0
    at: str = ""

    def to_order(self) -> Order:
        by = self.by or _describe_caller()
        return Order(to=self.to, reason=self.reason, by=by, hold=self.hold, force=self.force)


def add_step_down(api: Blueprint, node: Node) -> None:
    """Add the order to move the lease, now or at a time, and its recall to `api`."""

    @api.post("/step-down")
    async def step_down() -> Answer:
        body = await _read_body()
        try:
            if body.at:
                order = body.to_order()
                scheduled = await node.schedule_step_down(order, body.at, leaver=body.leaver)
                return answer(scheduled, 202)
            done = await node.step_down(body.to_order(), leaver=body.leaver, patience=body.wait)
        except StepDownRefused as error:
            said = {"error": str(error), "code": error.code}
            return answer(said, STATUS.get(error.code, 503))
        return answer(done)

    @api.delete("/step-down")
    async def cancel_step_down() -> Answer:
        if await node.cancel_step_down(_describe_caller()):
            return answer({"status": "cancelled"})
        return answer({"error": "no step-down is scheduled"}, 404)


def _describe_caller() -> str:
    return f"api from {request.remote_addr}"


async def _read_body() -> _Body:
    try:
        return msgspec.json.decode(await request.get_data() or b"{}", type=_Body)
    except msgspec.DecodeError as error:
        abort(400, f"the body is not an order to step down: {error}")
