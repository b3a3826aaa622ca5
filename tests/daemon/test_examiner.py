"""A node looks at Redis again and again, and says what has changed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import redis
import trio
from structlog.testing import capture_logs

from hachat.core.redis_settings import RedisSettings
from hachat.core.settings import Settings
from hachat.daemon.examiner import Examiner
from hachat.store.embedded import Server
from hachat.store.examination import examine
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link
from hachat.store.status import read_status
from hachat.tasks.services import running
from tests.store.sentinels import run_cluster


async def test_it_warns_once_and_again_when_it_is_well(tmp_path: Path) -> None:
    """Each thing that is unsafe is a line in the log, and stands in the status until it is mended."""
    with run_cluster(tmp_path) as cluster:
        link = Link(Direct(cluster.servers[0].url), timeout=5.0)
        settings = Settings(redis=RedisSettings(replicas=1))
        examiner = Examiner(link, settings)
        with trio.fail_after(30), capture_logs() as logs:
            async with running(link.run):
                await examiner.look()
                before = list(examiner.unsafe)
                await examiner.look()
                status = examiner.complete(await read_status(link, Keys("examined")))
                for server in cluster.servers:
                    set_up(server)
                await examiner.look()

    warned = [entry["reason"] for entry in logs if entry["log_level"] == "warning"]
    assert warned == before
    assert status.unsafe == before
    assert any("min-replicas-to-write is 0" in reason for reason in before)
    assert any("appendonly no" in reason for reason in before)
    assert examiner.unsafe == []
    assert [entry["event"] for entry in logs if entry["log_level"] == "info"] == [
        "Redis is set up safely again"
    ]


async def test_a_redis_that_is_away_changes_nothing(link: Link) -> None:
    """What was seen before stands until it answers again."""
    examiner = Examiner(Link(Direct("redis://127.0.0.1:1")), Settings())
    examiner.unsafe = ["something"]
    async with running(examiner._link.run):
        await examiner.look()
    assert examiner.unsafe == ["something"]


def set_up(server: Server) -> None:
    """Mend what is not safe."""
    with closing(redis.Redis(port=server.port)) as raw:
        raw.config_set("appendonly", "yes")
        raw.config_set("min-replicas-to-write", 1)
        raw.config_set("min-replicas-max-lag", 2)


async def test_figures_alone_are_no_news(own_server: Server) -> None:
    """A Redis that fills up is one line in the log, while the status has its latest figures."""
    link = Link(Direct(own_server.url), timeout=5.0)
    examiner = Examiner(link, Settings())
    seen = []
    with trio.fail_after(10), capture_logs() as logs:
        async with running(link.run):
            used = int((await examine(link)).server.used)
            for share in (0.99, 0.96):
                await link.command("CONFIG", "SET", "maxmemory", int(used / share))
                await examiner.look()
                seen += examiner.unsafe
    assert len(set(seen)) == 2, seen
    assert len([each for each in logs if each["log_level"] == "warning"]) == 1


async def test_something_else_is_news(own_server: Server) -> None:
    """The same check that fails for another reason is told again."""
    link = Link(Direct(own_server.url), timeout=5.0)
    examiner = Examiner(link, Settings())
    with trio.fail_after(10), capture_logs() as logs:
        async with running(link.run):
            await link.command("CONFIG", "SET", "maxmemory", "1gb")
            for policy in ("allkeys-lru", "volatile-lru"):
                await link.command("CONFIG", "SET", "maxmemory-policy", policy)
                await examiner.look()
    warned = [each["reason"] for each in logs if each["log_level"] == "warning"]
    assert ["allkeys" in each for each in warned] == [True, False]
    assert ["volatile" in each for each in warned] == [False, True]
