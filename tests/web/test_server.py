"""The server on a real socket, with clients that behave and clients that do not."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
import trio
import trio.testing

from hachat.web import server
from hachat.web.server import make_app, serve

if TYPE_CHECKING:
    from tests.web.conftest import FakeNode

HOOK = b"POST /hooks/deployed HTTP/1.1\r\nHost: test\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"
SMALL = b"Content-Length: 2\r\n\r\n{}"


@pytest.fixture
async def url(node: FakeNode, nursery: trio.Nursery) -> str:
    """Where the node is served."""
    bound: str = await nursery.start(serve, make_app(node, body_limit=100_000), "127.0.0.1", 0)
    return bound


async def connect(url: str) -> trio.SocketStream:
    """Open a raw connection to the server at `url`."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return await trio.open_tcp_stream(parts.hostname, parts.port)


async def read_answer(stream: trio.SocketStream) -> bytes:
    """Return what the server sends, up to the end of a JSON answer or of the connection."""
    answer = b""
    with trio.fail_after(5):
        while not answer.endswith(b"}"):
            chunk = await stream.receive_some()
            if not chunk:
                break
            answer += chunk
    return answer


class Served:
    """A server that a test asks to leave, while its clients stay."""

    def __init__(self) -> None:
        self.url = ""
        self._scope = trio.CancelScope()
        self._gone = trio.Event()

    async def run(self, node: FakeNode, *, task_status: trio.TaskStatus[str]) -> None:
        """Serve `node` until `leave`."""
        with self._scope:
            await serve(make_app(node), "127.0.0.1", 0, task_status=task_status)
        self._gone.set()

    async def leave(self) -> float:
        """Cancel the server and return how many seconds it took to end."""
        asked_at = trio.current_time()
        self._scope.cancel()
        with trio.fail_after(10):
            await self._gone.wait()
        return trio.current_time() - asked_at


@pytest.fixture
async def served(node: FakeNode, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch) -> Served:
    """A running server that can leave before the test ends, and whose patience is short."""
    monkeypatch.setattr(server, "GRACE", 0.5)
    monkeypatch.setattr(server, "PEER_TIMEOUT", 0.3)
    running = Served()
    running.url = await nursery.start(running.run, node)
    return running


async def test_bound_url_answers(url: str) -> None:
    """Port 0 became a real one, and what is answered says who answers."""
    async with httpx.AsyncClient() as client:
        response = await client.get(f"{url}/healthz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "node": "alpha"}


async def test_head_is_get_without_the_body(url: str) -> None:
    """The headers are those of the GET, the length of its body included."""
    async with httpx.AsyncClient() as client:
        got = await client.get(f"{url}/readyz")
        head = await client.head(f"{url}/readyz")

    assert head.content == b""
    assert {**head.headers, "date": ""} == {**got.headers, "date": ""}


async def test_one_connection_carries_many_requests(url: str, node: FakeNode) -> None:
    """Keep-alive works, whatever the answer before was."""
    async with await connect(url) as stream:
        answers = []
        for request in (HEALTH, HOOK + SMALL, HEALTH.replace(b"healthz", b"nowhere"), HOOK + SMALL):
            await stream.send_all(request)
            answers.append((await read_answer(stream))[9:12])

    assert answers == [b"200", b"202", b"404", b"202"]
    assert len(node.queued) == 2


async def test_chunked_body_over_the_limit_is_refused(url: str, node: FakeNode) -> None:
    """A body that does not announce its length has the same limit, and the sender learns of it."""
    async with await connect(url) as stream:
        await stream.send_all(
            HOOK
            + b"Transfer-Encoding: chunked\r\n\r\n"
            + 7 * (b"4000\r\n" + 0x4000 * b" " + b"\r\n")
        )
        answer = await read_answer(stream)

    assert answer.startswith(b"HTTP/1.1 413")
    assert answer.endswith(b'{"error":"the body is larger than 100000 bytes"}')
    assert node.queued == []


@pytest.mark.parametrize("size", [100_001, 2_000_000])
async def test_connection_is_not_left_hanging_after_a_refusal(url: str, size: int) -> None:
    """Whoever sent too much is served on or cut off; the next request never waits in vain."""
    async with await connect(url) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(
            _send_regardless,
            stream,
            HOOK + b"Content-Length: %d\r\n\r\n" % size + b" " * size + HEALTH,
        )
        first = await read_answer(stream)
        second = await _read_or_be_cut(stream)

    assert first.startswith(b"HTTP/1.1 413")
    assert second == b"" or second.startswith(b"HTTP/1.1 200")


async def _send_regardless(stream: trio.SocketStream, data: bytes) -> None:
    try:
        await stream.send_all(data)
    except trio.BrokenResourceError:
        return


async def _read_or_be_cut(stream: trio.SocketStream) -> bytes:
    try:
        return await read_answer(stream)
    except trio.BrokenResourceError:
        return b""


async def test_cut_off_body_queues_nothing(url: str, node: FakeNode) -> None:
    """Half a body is none, and the next sender is served."""
    async with await connect(url) as stream:
        await stream.send_all(HOOK + b'Content-Length: 50\r\n\r\n{"app":')
        await stream.send_eof()
        await read_answer(stream)
    async with await connect(url) as stream:
        await stream.send_all(HOOK + SMALL)
        answer = await read_answer(stream)

    assert answer.startswith(b"HTTP/1.1 202")
    assert [webhook.body for webhook in node.queued] == ["{}"]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"GET\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: test\r\nContent-Length: x\r\n\r\n",
        b"A" * 100_000,
    ],
)
async def test_rubbish_is_answered_and_cut_off(url: str, rubbish: bytes) -> None:
    """TLS to a plain port, half a line, one without end: a 4xx, and nobody else notices."""
    async with await connect(url) as stream:
        await _send_regardless(stream, rubbish)
        answer = await _read_or_be_cut(stream)
    async with await connect(url) as stream:
        await stream.send_all(HEALTH)
        healthy = await read_answer(stream)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert healthy.startswith(b"HTTP/1.1 200")


async def test_websocket_nobody_offers_is_refused(url: str) -> None:
    """A handshake gets an answer, not a silent connection."""
    async with await connect(url) as stream:
        await stream.send_all(
            b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        answer = await read_answer(stream)

    assert answer.startswith(b"HTTP/1.1 4")


async def test_idle_keep_alive_connection_does_not_delay_leaving(served: Served) -> None:
    """The grace is for requests in hand; an open connection without one is simply closed."""
    async with await connect(served.url) as stream:
        await stream.send_all(HEALTH)
        await read_answer(stream)
        took = await served.leave()
        after = await read_answer(stream)

    assert took < server.GRACE
    assert after == b""


async def test_request_in_hand_is_finished_before_leaving(
    served: Served, node: FakeNode, nursery: trio.Nursery
) -> None:
    """A webhook that is being queued when the server leaves gets its answer."""
    node.gate = trio.Event()
    async with await connect(served.url) as stream:
        await stream.send_all(HOOK + SMALL)
        await node.entered.wait()
        nursery.start_soon(served.leave)
        await _wait_until_closed(served.url)
        node.gate.set()
        answer = await read_answer(stream)

    assert answer.startswith(b"HTTP/1.1 202")
    assert len(node.queued) == 1


async def test_request_that_does_not_end_is_given_up(served: Served, node: FakeNode) -> None:
    """Leaving is bounded, whatever the request waits for."""
    node.gate = trio.Event()
    async with await connect(served.url) as stream:
        await stream.send_all(HOOK + SMALL)
        await node.entered.wait()
        took = await served.leave()

    assert server.GRACE <= took < server.GRACE + 1
    assert node.queued == []


async def test_peer_that_reads_nothing_does_not_hold_the_server(
    served: Served, node: FakeNode
) -> None:
    """Not even a write that is stuck in the kernel outlives the grace by much."""
    node.master = "x" * 20_000_000
    async with await connect(served.url) as stream:
        await stream.send_all(HEALTH.replace(b"healthz", b"api/v1/status"))
        await stream.receive_some(1)
        took = await served.leave()

    assert server.GRACE <= took < server.GRACE + 3


async def test_server_that_is_cancelled_at_once_ends(node: FakeNode) -> None:
    """A cancel before the first request, or before the start, is honoured."""
    with trio.fail_after(2), trio.CancelScope() as scope:
        scope.cancel()
        await serve(make_app(node), "127.0.0.1", 0)

    assert scope.cancelled_caught


async def test_address_in_use_is_an_os_error(node: FakeNode) -> None:
    """The caller gets the plain error, not a group with it inside."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await serve(make_app(node), "127.0.0.1", taken.getsockname()[1])


async def test_ipv6_url_has_brackets(node: FakeNode, nursery: trio.Nursery) -> None:
    """The URL can be used as it is."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    url = await nursery.start(serve, make_app(node), "::1", 0)

    async with httpx.AsyncClient() as client:
        response = await client.get(f"{url}/healthz")

    assert url.startswith("http://[::1]:")
    assert response.status_code == 200


async def test_request_that_finds_no_slot_is_told_to_come_back(
    node: FakeNode, autojump_clock: object
) -> None:
    """One more than there are slots waits a moment, then is refused; health never is."""
    client = make_app(node, slots=1, patience=1.0).test_client()
    node.gate = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: client.post("/hooks/deployed", data=b"{}"))
        await trio.testing.wait_all_tasks_blocked()
        refused = await client.post("/hooks/deployed", data=b"{}")
        health = await client.get("/healthz")
        node.gate.set()

    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert await refused.get_json() == {"error": "too many requests at once, try again"}
    assert health.status_code == 200
    assert len(node.queued) == 1


async def test_request_that_waits_gets_the_slot_that_comes_free(
    node: FakeNode, autojump_clock: object
) -> None:
    """A burst is taken one after the other, not refused."""
    client = make_app(node, slots=1).test_client()
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(lambda: client.post("/hooks/deployed", data=b"{}"))

    assert len(node.queued) == 20


async def _wait_until_closed(url: str) -> None:
    """Return when the server takes no more connections."""
    with trio.fail_after(5):
        try:
            while True:
                await (await connect(url)).aclose()
        except OSError:
            return
