"""The stage behaves as the cluster would."""

from __future__ import annotations

import pytest

from hachat import Context, Handler, hook
from tests.bot.stage import Stage


class Echo(Handler):
    """Says what it is sent."""

    @hook.put("/v1.0/<name>")
    async def echo(self, ctx: Context, name: str, body: str) -> None:
        """Say it."""
        await ctx.say(f"test/{name}", body)


async def test_request() -> None:
    """A request finds its route by method and path, and its replies are kept with their room."""
    stage = Stage(Echo())
    assert await stage.request("PUT", "/v1.0/lab", b"hello") == ["hello"]
    assert stage.replies[0].room == "test/lab"


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1.0/a"), ("PUT", "/v1x0/a"), ("PUT", "/v1.0/a/b")]
)
async def test_no_such_hook(method: str, path: str) -> None:
    """A request that no handler accepts is an error."""
    with pytest.raises(LookupError, match=f"no handler accepts {method}"):
        await Stage(Echo()).request(method, path)


async def test_refused_body() -> None:
    """A body that would be refused at the door is refused here."""
    with pytest.raises(ValueError, match="utf-8"):
        await Stage(Echo()).request("PUT", "/v1.0/a", b"\xff")
