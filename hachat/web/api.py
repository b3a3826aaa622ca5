"""What programs ask about the cluster, under `/api/v1`.

All of it is one blueprint: who may ask is decided in one place, before any of its views runs.
"""

from __future__ import annotations

from quart import Blueprint

from hachat.web.node import Node
from hachat.web.responses import Answer, answer


def make_api(node: Node) -> Blueprint:
    """Return the API of `node`."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")

    @api.get("/status")
    async def status() -> Answer:
        return answer(await node.status(), Cache_Control="no-store")

    return api
