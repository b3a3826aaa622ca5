"""A single server as the source of connections."""

from __future__ import annotations

from pathlib import Path

import pytest

from hachat.core.errors import StoreUnavailable
from hachat.store.embedded import Server, run_server
from hachat.store.source import Direct
from tests.store.links import ask


async def test_identity_is_empty_until_a_server_was_met(server: Server) -> None:
    """An address alone does not say which server answers there."""
    source = Direct(server.url)
    assert source.identity == ""
    await ask(source, "PING")
    assert source.identity.startswith(f"127.0.0.1:{server.port}/")
    assert source.config_epoch == 0


async def test_restarted_server_is_another_one(tmp_path: Path) -> None:
    """It may have forgotten everything, so whoever waits for silence must begin anew."""
    with run_server(tmp_path) as server:
        source = Direct(server.url)
        await ask(source, "PING")
        before = source.identity
    with run_server(tmp_path, port=server.port):
        await ask(source, "PING")
    assert source.identity != before


async def test_replica_is_not_taken_for_a_master(own_server: Server) -> None:
    """It would answer every read, and refuse the first write."""
    source = Direct(own_server.url)
    await ask(source, "REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(StoreUnavailable, match="slave"):
        await ask(source, "PING")


async def test_unix_socket(tmp_path: Path) -> None:
    """A server may be reached by a socket in the file system."""
    path = tmp_path / "s"
    with run_server(tmp_path / "data", options=["--unixsocket", str(path)]):
        source = Direct(f"unix://{path}")
        assert await ask(source, "PING") == b"PONG"
        assert source.identity.startswith(str(path))
