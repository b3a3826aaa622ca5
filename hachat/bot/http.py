"""The HTTP clients that the handlers of a node share."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from hachat import __version__

if TYPE_CHECKING:
    import httpx

TIMEOUT = 10.0
"""Seconds in which a connection must be made, and in which something must be heard on it."""

RETRIES = 2
"""Further tries to connect; what has been sent is not sent again."""

CONNECTIONS = 100
"""Connections at once, for each of the two clients."""


class Http:
    """Makes each client when it is first asked for, because httpx takes a while to load.

    Both say who they are as `hachat/<version> (<bot>)`.  A test gives an `httpx.MockTransport` as `transport`.  Where the environment
    names a proxy, that is used, and connections to it are tried once.
    """

    def __init__(self, bot: str = "hachat", transport: httpx.MockTransport | None = None) -> None:
        self._agent = f"hachat/{__version__} ({bot})".encode("ascii", "replace").decode()
        self._transport = transport
        self._making = threading.Lock()

    @cached_property
    def client(self) -> httpx.AsyncClient:
        """The client of methods that are async."""
        import httpx  # noqa: PLC0415 - see above

        retry = httpx.AsyncHTTPTransport
        return httpx.AsyncClient(transport=self._choose(retry), **self._options())

    @property
    def blocking_client(self) -> httpx.Client:
        """The client of methods that are not async; threads may share it."""
        with self._making:
            return self._blocking_client

    @cached_property
    def _blocking_client(self) -> httpx.Client:
        import httpx  # noqa: PLC0415 - see above

        retry = httpx.HTTPTransport
        return httpx.Client(transport=self._choose(retry), **self._options())

    async def aclose(self) -> None:
        """Close what was made."""
        made = vars(self)
        if "_blocking_client" in made:
            self._blocking_client.close()
        if "client" in made:
            await self.client.aclose()

    def _choose(self, make: Any) -> Any:
        if self._transport is not None:
            return self._transport
        return None if getproxies() else make(retries=RETRIES, limits=self._limits())

    def _options(self) -> dict[str, Any]:
        return {
            "timeout": TIMEOUT,
            "limits": self._limits(),
            "headers": {"User-Agent": self._agent},
        }

    @staticmethod
    def _limits() -> httpx.Limits:
        import httpx  # noqa: PLC0415 - see above

        return httpx.Limits(max_connections=CONNECTIONS)
