"""Who looks at the nodes all the time: are you master, and which epoch do you see?

Each node is asked by a thread that stands on its server, so that no cut cable is in between.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

from hachat.cluster.term import read_clock
from tests.whole.drills.events import Any, Looked, Sampled

PERIOD = 0.05
"""Seconds between two questions."""

_SELDOM = 12
"""Of so many questions one is followed by that for the epoch."""

_PATIENCE = 1.0

Enter = Callable[[], None]


@contextmanager
def watching(
    node: str, address: str, port: int, note: Callable[[Any], None], enter: Enter
) -> Iterator[None]:
    """Ask a node until the block ends."""
    watch = _Watch(node, address, port, note, enter)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.stop.set()
        thread.join(_PATIENCE + 1)


class _Watch:
    def __init__(
        self, node: str, address: str, port: int, note: Callable[[Any], None], enter: Enter
    ) -> None:
        self.stop = threading.Event()
        self._node = node
        self._connection = http.client.HTTPConnection(address, port, timeout=_PATIENCE)
        self._note = note
        self._enter = enter

    def run(self) -> None:
        self._enter()
        turn = 0
        with closing(self._connection):
            while not self.stop.wait(PERIOD):
                self._sample()
                turn += 1
                if turn % _SELDOM == 0:
                    self._look()

    def _sample(self) -> None:
        asked = read_clock()
        code, _ = self._get("/master")
        self._note(Sampled(at=read_clock(), node=self._node, asked=asked, code=code))

    def _look(self) -> None:
        code, body = self._get("/api/v1/status")
        if code == http.client.OK:
            epoch = json.loads(body)["epoch"]
            self._note(Looked(at=read_clock(), node=self._node, epoch=epoch))

    def _get(self, path: str) -> tuple[int, bytes]:
        with suppress(OSError, http.client.HTTPException):
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        self._connection.close()
        return 0, b""
