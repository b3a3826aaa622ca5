"""What every test may ask for: a real server of the session's own, and a cluster name of the test's own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from hachat.store.embedded import Server, run_server
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link

_clusters = itertools.count()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Valkey server that lives as long as the session."""
    with run_server(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A Valkey server for this test alone, to be frozen or killed."""
    with run_server(tmp_path / "valkey") as running:
        yield running


@pytest.fixture
def keys() -> Keys:
    """Keys of a cluster that no other test uses."""
    return Keys(f"test-{next(_clusters)}")


@pytest.fixture
async def link(server: Server, nursery: trio.Nursery) -> Link:
    """A running link to the session's server."""
    running = Link(Direct(server.url))
    await nursery.start(running.run)
    return running
