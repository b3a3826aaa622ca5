"""Webhooks whose senders wait, with a daemon as it runs in production."""

from __future__ import annotations

import signal
from pathlib import Path
from threading import Thread

import httpx

from hachat.store.embedded import Server
from tests.whole.test_daemon import run_daemon, settings_for

HANDLER = """
import trio
from hachat import Handler, Response, hook, job


class Doors(Handler):
    @hook.get("/builds/<app>", inline=True)
    async def builds(self, ctx, app):
        return Response({"app": app, "page": ctx.webhook.query.get("page")}, headers={"X-Node": ctx.bot.node})

    @hook.post("/deploy", inline=True)
    async def deploy(self, ctx, form: dict):
        ctx.log.info("in hand", text=form["text"])
        await ctx.after("0s", "deployed", data=form["text"])
        if form["text"] == "slowly":
            await trio.sleep(60)
        return {"text": f"Deploying {form['text']}."}

    @job
    async def deployed(self, ctx, text: str):
        ctx.log.info("deployed", text=text)
"""


def test_inline_webhooks(server: Server, tmp_path: Path) -> None:
    """They are answered by their handlers, a HEAD without a body; what they asked for is done once they have ended well."""
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "doors.py").write_text(HANDLER)
    with run_daemon(tmp_path, settings_for(server.url)) as daemon:
        url = daemon.wait_for_url() + "/hooks"
        daemon.wait_for("ready")

        answer = httpx.get(f"{url}/builds/web?page=2")
        head = httpx.head(f"{url}/builds/web?page=2")
        slash = httpx.post(f"{url}/deploy", data={"command": "/deploy", "text": "web"})

        assert (answer.status_code, answer.json()) == (200, {"app": "web", "page": "2"})
        assert (head.status_code, head.content) == (200, b"")
        assert {"X-Node", "Content-Length"} <= {name.title() for name in head.headers}
        assert head.headers["content-length"] == answer.headers["content-length"]
        assert slash.json() == {"text": "Deploying web."}
        assert daemon.wait_for("deployed")["text"] == "web"

        lost: list[httpx.HTTPError] = []

        def ask() -> None:
            try:
                httpx.post(f"{url}/deploy", data={"text": "slowly"}, timeout=30.0)
            except httpx.HTTPError as error:
                lost.append(error)

        asking = Thread(target=ask)
        asking.start()
        daemon.wait_for("in hand", 2)
        daemon.signal(signal.SIGKILL)
        asking.join(30)
        assert len(lost) == 1

    with run_daemon(tmp_path, settings_for(server.url)) as daemon:
        url = daemon.wait_for_url() + "/hooks"
        daemon.wait_for("ready")
        httpx.post(f"{url}/deploy", data={"text": "db"}).raise_for_status()
        daemon.wait_for("deployed")
        assert [line["text"] for line in daemon.lines("deployed")] == ["db"]
