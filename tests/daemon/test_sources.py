"""Which Redis the settings mean."""

from __future__ import annotations

from pathlib import Path

import trio

from hachat.core.redis_settings import RedisSettings
from hachat.daemon.sources import make_source
from hachat.store.embedded import run_server
from hachat.store.link import Link
from hachat.store.sentinels import Sentinels
from hachat.store.source import Direct


def test_a_url_is_a_single_server() -> None:
    """Without Sentinels the URL says where Redis is."""
    assert isinstance(make_source(RedisSettings(url="redis://127.0.0.1:1")), Direct)


def test_sentinels_replace_the_url() -> None:
    """With Sentinels it is they who are asked."""
    assert isinstance(make_source(RedisSettings(sentinels=("127.0.0.1:1",))), Sentinels)


async def test_a_password_beside_the_url_is_used(tmp_path: Path, nursery: trio.Nursery) -> None:
    """A password from a secret file need not be in the URL."""
    with run_server(tmp_path, password="hunter2") as server:
        settings = RedisSettings(url=f"redis://127.0.0.1:{server.port}", password="hunter2")
        link = Link(make_source(settings))
        await nursery.start(link.run)

        assert await link.command("PING") == b"PONG"
        nursery.cancel_scope.cancel()
