"""What load balancers and monitors ask: does it run, may it take traffic, is it master?

`/healthz` says only that the process turns: a restart mends neither Redis nor the chat service.
"""

from __future__ import annotations

import time
from typing import Any

from quart_trio import QuartTrio

from hachat.web.node import Node
from hachat.web.responses import Answer, answer


def add_health(app: QuartTrio, node: Node) -> None:
    """Add `/healthz`, `/readyz`, `/master` and `/standby` to `app`."""

    @app.get("/healthz")
    async def healthz() -> Answer:
        return _say("ok", node, time=round(time.time(), 3))

    @app.get("/readyz")
    async def readyz() -> Answer:
        reasons = node.readiness()
        return (
            _say("not ready", node, 503, reasons=reasons)
            if reasons
            else _say("ready", node, **_note(node))
        )

    @app.get("/master")
    async def master() -> Answer:
        left = node.lease_left()
        if left <= 0:
            return _say("standby", node, 503)
        body, status, headers = _say("master", node)
        return body, status, {**headers, "Lease-Remaining-Ms": str(int(left * 1000))}

    @app.get("/standby")
    async def standby() -> Answer:
        if node.lease_left() > 0:
            return _say("master", node, 503)
        reasons = node.readiness()
        return _say("not ready", node, 503, reasons=reasons) if reasons else _say("standby", node)


def _note(node: Node) -> dict[str, Any]:
    notes = node.notes()
    return {"notes": notes} if notes else {}


def _say(status: str, node: Node, code: int = 200, **more: object) -> Answer:
    value = {"status": status, "node": node.name, **more}
    return answer(value, code, X_Hachat_Node=node.name, Cache_Control="no-store")
