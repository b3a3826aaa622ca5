"""Webhooks in tests of handlers: signed as their service would, and answered as their sender would be."""

from __future__ import annotations

import pytest

from hachat import Context, Handler, Response, hook
from hachat.core.errors import Unsigned
from hachat.testing import Driver, handlers


class Deploys(Handler):
    """Takes webhooks of all kinds."""

    def __init__(self) -> None:
        self.secret = "s3cret"

    @hook.post("/slash", signature="slack", inline=True)
    async def slash(self, ctx: Context, form: dict[str, str]) -> dict[str, str]:
        """Answer at once, and tell the room."""
        await ctx.say("test/#ops", f"deploying {form['text']}")
        return {"text": "On it."}

    @hook.post("/pushed", signature="github")
    async def pushed(self, ctx: Context) -> None:
        """Tell the room."""
        await ctx.say("test/#ops", "pushed")

    @hook.get("/page/<name>", inline=True)
    async def page(self, ctx: Context, name: str) -> Response:
        """Show something."""
        return Response(f"{name}, {ctx.webhook.query['n']}", 203, headers={"X-A": "1"})

    @hook.post("/headers", inline=True)
    async def headers(self, ctx: Context) -> dict[str, str]:
        """Show what is left of the headers."""
        return {name: text for name, text in ctx.webhook.headers.items() if name.startswith("x-")}

    @hook.get("/broken", inline=True)
    async def broken(self, ctx: Context) -> None:
        """Fail."""
        raise ValueError("secret reason")


@handlers(Deploys)
async def test_an_inline_webhook_is_answered(bot: Driver) -> None:
    """The test sees the answer, and what is said besides."""
    answer = await bot.fetch("POST", "/slash", {"text": "web"})
    assert (answer.status, answer.json()) == (200, {"text": "On it."})
    assert answer.said == ["deploying web"]
    assert await bot.request("POST", "/slash", {"text": "db"}) == ["deploying db"]


@handlers(Deploys)
async def test_an_answer_has_all_its_parts(bot: Driver) -> None:
    """Status, headers and text; the query reaches the handler."""
    answer = await bot.fetch("GET", "/page/one?n=2")
    assert (answer.status, answer.text, answer.headers["X-A"]) == (203, "one, 2", "1")


@handlers(Deploys)
async def test_what_nobody_has_signed_is_refused(bot: Driver) -> None:
    """Where a signature is asked for."""
    assert await bot.request("POST", "/pushed") == ["pushed"]
    with pytest.raises(Unsigned):
        await bot.request("POST", "/pushed", signed=False)
    assert (await bot.fetch("POST", "/pushed", signed=False)).status == 401
    forged = {"X-Hub-Signature-256": "sha256=00"}
    assert (await bot.fetch("POST", "/pushed", b"{}", forged, signed=False)).status == 401
    assert (await bot.fetch("POST", "/pushed")).status == 202


@handlers(Deploys)
async def test_a_body_that_cannot_be_read_is_refused(bot: Driver) -> None:
    """As at the door of a node."""
    answer = await bot.fetch("POST", "/slash", [1])
    assert answer.status == 400
    assert "Expected `object`" in answer.json()["error"]


@handlers(Deploys)
async def test_a_failure_is_an_answer_too(bot: Driver) -> None:
    """Without the reason, as for anybody."""
    answer = await bot.fetch("GET", "/broken")
    assert answer.status == 500
    assert "secret" not in answer.text


@handlers(Deploys)
async def test_a_form_is_sent_as_slack_sends_it(bot: Driver) -> None:
    """Signed as it is written, and read as an object of its fields."""
    answer = await bot.fetch("POST", "/slash", form={"text": "web & db"})
    assert answer.json() == {"text": "On it."}
    assert answer.said == ["deploying web & db"]
    assert await bot.request("POST", "/slash", form={"text": "ä"}) == ["deploying ä"]


@handlers(Deploys)
async def test_a_second_delivery_is_recognised(bot: Driver) -> None:
    """By the header in which the service puts its id."""
    for status, said in (("queued", ["pushed"]), ("duplicate", [])):
        answer = await bot.fetch("POST", "/pushed", headers={"X-GitHub-Delivery": "1"})
        assert (answer.json()["status"], answer.said) == (status, said)


@handlers(Deploys)
async def test_a_head_is_a_get_without_a_body(bot: Driver) -> None:
    """An inline webhook answers it."""
    answer = await bot.fetch("HEAD", "/page/one?n=2")
    assert (answer.status, answer.body, answer.headers["X-A"]) == (203, b"", "1")


@handlers(Deploys)
async def test_only_what_a_node_takes_is_taken(bot: Driver) -> None:
    """A path or a verb that no handler has is a mistake of the test's."""
    for method, path in (("POST", "/page/one"), ("GET", "/page/one/two"), ("GET", "/nothing")):
        with pytest.raises(LookupError, match=f"{method} /hooks{path}"):
            await bot.fetch(method, path)


@handlers(Deploys)
async def test_secrets_do_not_reach_the_handler(bot: Driver) -> None:
    """It sees the headers which it would see on a node."""
    headers = {"X-Api-Key": "s3cret", "X-Event": "push"}
    answer = await bot.fetch("POST", "/headers", headers=headers)
    assert answer.json() == {"x-event": "push"}
