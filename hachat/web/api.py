"""What programs ask about the cluster, under `/api/v1`.

All of it is one blueprint: who may ask is decided in one place, before any of its views runs.
"""

from __future__ import annotations

from quart import Blueprint

from hachat.web.letters import add_letters
from hachat.web.login import require_token
from hachat.web.node import Node
from hachat.web.responses import Answer, answer


def make_api(node: Node, token: str = "") -> Blueprint:
    """Return the API of `node`; `token` is what those must bring along who want to change something."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    require_token(api, token)
    add_letters(api, node)

    @api.get("/status")
    async def status() -> Answer:
        return answer(await node.status(), Cache_Control="no-store")

    return api
