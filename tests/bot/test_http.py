"""The clients that handlers share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import httpx
import pytest
import trio

from hachat import __version__
from hachat.bot.http import RETRIES, Http
from tests.bot.test_context import make


def answer(request: httpx.Request) -> httpx.Response:
    """Tell who asks."""
    return httpx.Response(200, text=request.headers["User-Agent"])


async def test_both_say_who_they_are() -> None:
    """The release, and the bot, in characters that a header can carry."""
    http = Http("Bärbel", httpx.MockTransport(answer))
    told = (await http.client.get("http://test")).text
    told_a_thread = await trio.to_thread.run_sync(
        lambda: http.blocking_client.get("http://test").text
    )
    await http.aclose()

    assert told == told_a_thread == f"hachat/{__version__} (B?rbel)"
    assert http.client.is_closed
    assert http.blocking_client.is_closed


async def test_they_are_shared_and_made_when_they_are_needed() -> None:
    """Each context lends the same; what nobody asked for is not made, not even to be closed."""
    context, _ = make()
    services = context._services

    assert context.http is services.http.client is context.http
    assert context.blocking_http is services.http.blocking_client
    await services.http.aclose()
    unused = Http()
    await unused.aclose()
    assert not {"client", "_blocking_client"} & set(vars(unused))


def test_httpx_is_loaded_late() -> None:
    """A node starts without it."""
    code = "import sys, hachat.bot.context; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


Serve = Callable[[trio.SocketStream], Awaitable[None]]


async def test_a_connection_that_fails_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    """Nothing was sent yet, so that is safe for any call."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    failures = [OSError("down")] * RETRIES
    connect = trio.open_tcp_stream

    async def fail_first(*args: object, **options: object) -> trio.SocketStream:
        if failures:
            raise failures.pop()
        return await connect(*args, **options)  # type: ignore[arg-type]  # what httpx gives

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
    port = listener.socket.getsockname()[1]
    monkeypatch.setattr(trio, "open_tcp_stream", fail_first)
    http = Http()
    with trio.fail_after(10):
        found = await http.client.post(f"http://127.0.0.1:{port}", content=b"x")
    await http.aclose()
    nursery.cancel_scope.cancel()

    assert (found.text, failures) == ("ok", [])
