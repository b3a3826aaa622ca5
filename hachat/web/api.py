"""What programs ask about the cluster, under `/api/v1`.

All of it is one blueprint: who may ask is decided in one place, before any of its views runs.
"""

from __future__ import annotations

from quart import Blueprint

from hachat.web.letters import add_letters
from hachat.web.login import require_token
from hachat.web.node import Node
from hachat.web.orders import add_orders
from hachat.web.responses import Answer, answer
from hachat.web.stepdown import add_step_down


def make_api(node: Node, token: str = "") -> Blueprint:
    """Return the API of `node`; `token` is what those must bring along who want to change something."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    require_token(api, token)
    add_letters(api, node)
    add_step_down(api, node)
    add_orders(api, node)

    @api.get("/status")
    async def status() -> Answer:
        return answer(await node.status(), Cache_Control="no-store")

    @api.get("/jobs")
    async def jobs() -> Answer:
        return answer(await node.agenda(), Cache_Control="no-store")

    @api.get("/history")
    async def history() -> Answer:
        return answer(await node.history(), Cache_Control="no-store")

    @api.get("/audit")
    async def audit() -> Answer:
        return answer(await node.audit(), Cache_Control="no-store")

    @api.delete("/jobs/<path:job_id>")
    async def cancel(job_id: str) -> Answer:
        if await node.cancel(job_id):
            return answer({"cancelled": job_id})
        return answer({"error": f"no job waits under the id {job_id}"}, 404)

    return api
