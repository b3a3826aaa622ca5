"""`hachat release`, as systemd runs it: what a dead process held is given back, and nothing else."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import redis

from hachat.core.errors import StoreUnavailable
from hachat.core.redis_settings import RedisSettings
from hachat.core.settings import Settings
from hachat.daemon import release
from hachat.daemon.lease_file import Holding, describe, introduce, write
from hachat.daemon.release import LIMIT, UNREACHABLE
from hachat.store.embedded import Server, free_port, run_server
from hachat.store.errand import Address
from hachat.store.keys import Keys
from tests.certificates import make_certificate
from tests.store.binaries import find_redis
from tests.store.sentinels import SERVICE, run_cluster

TOKEN = "n1/b1/0.7"
LIVING = introduce(Settings(node="n1"), "b1")._replace(token=TOKEN)
DEAD = LIVING._replace(began="1")
"""A process whose number another one has now: this one."""

FAR = 1e15
"""The end of a node lease that does not end by itself while a test runs."""

LOOSE = 10.0
"""Seconds by which a busy machine may be late."""


class Place:
    """The runtime directory of a service at this Redis; `run` is what systemd does when the service has ended."""

    def __init__(self, folder: Path, keys: Keys, **redis: Any) -> None:
        self.file = folder / "lease"
        self._folder = folder
        self._cluster = keys.cluster
        self._redis = RedisSettings(**redis)

    def note(self, holding: Holding) -> None:
        """Write down what a process of this service holds."""
        write(self.file, holding._replace(cluster=self._cluster, redis=describe(self._redis)))

    def run(self, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the command in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "hachat", "release"],
            env=os.environ | {"RUNTIME_DIRECTORY": str(self._folder)} | environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert len((done.stdout + done.stderr).splitlines()) == 1, done.stderr
        return done


@pytest.fixture
def place(tmp_path: Path, server: Server, keys: Keys) -> Place:
    """A service at the session's server."""
    return Place(tmp_path, keys, url=server.url)


@pytest.fixture
def raw(server: Server) -> Iterator[redis.Redis]:
    """Somebody with redis-cli."""
    with closing(redis.Redis(host=server.host, port=server.port, decode_responses=True)) as client:
        yield client


def hold(raw: redis.Redis, keys: Keys, token: str = TOKEN, consumer: str = "n1:b1") -> None:
    """Let a process be master and member, as the scripts write it down."""
    raw.set(keys.of("lease"), token, px=60_000)
    raw.hset(keys.of("meta"), mapping={"holder": token, "state": "held"})
    raw.zadd(keys.of("nodes"), {consumer: FAR})


def is_held(raw: redis.Redis, keys: Keys, token: str = TOKEN) -> bool:
    """Tell whether nothing was taken from it."""
    return (raw.get(keys.of("lease")), raw.hget(keys.of("meta"), "state")) == (token, "held")


def is_missed(raw: redis.Redis, keys: Keys, consumer: str = "n1:b1") -> bool:
    """Tell whether the next beat of a node finds this one dead."""
    end = raw.zscore(keys.of("nodes"), consumer)
    seconds, micros = raw.time()
    return end is not None and end < seconds * 1000 + micros / 1000


def test_what_a_dead_process_held_is_given_back(place: Place, raw: redis.Redis, keys: Keys) -> None:
    """Lease and node lease end, candidates hear of it, and the history says why."""
    hold(raw, keys)
    place.note(DEAD)

    done = place.run(SERVICE_RESULT="signal", EXIT_CODE="killed", EXIT_STATUS="KILL")

    assert (done.returncode, done.stderr) == (0, "")
    assert TOKEN in done.stdout
    assert raw.get(keys.of("lease")) is None
    assert is_missed(raw, keys)
    for stream in ("events", "history"):
        [(_, entry)] = raw.xrange(keys.of(stream))  # type: ignore[misc]
        assert entry == {
            "event": "released",
            "token": TOKEN,
            "to": "",
            "reason": "crash signal killed KILL",
            "cause": "crash",
            "by": "",
        }


def test_done_twice_it_is_done_once(place: Place, raw: redis.Redis, keys: Keys) -> None:
    """Whoever tries again changes nothing."""
    hold(raw, keys)
    place.note(DEAD)
    place.run()

    assert place.run().returncode == 0
    assert raw.xlen(keys.of("history")) == 1


def test_a_standby_that_died_is_missed_at_once(place: Place, raw: redis.Redis, keys: Keys) -> None:
    """It held no lease, and the one of somebody else stays."""
    hold(raw, keys, token="n2/b9/0.8")
    place.note(DEAD._replace(token=""))

    assert place.run().returncode == 0
    assert is_held(raw, keys, "n2/b9/0.8")
    assert is_missed(raw, keys)


@pytest.mark.parametrize("other", ["n2/b9/0.8", "n1/b2/0.8", "n1/b1/0.8"])
def test_the_lease_of_another_term_stays(
    other: str, place: Place, raw: redis.Redis, keys: Keys
) -> None:
    """Another node, the next process of this one, or a later term: an old token is nobody's."""
    hold(raw, keys, token=other, consumer="n1:b2")
    place.note(DEAD)

    done = place.run()

    assert done.returncode == 0
    assert "held no lease" in done.stdout
    assert is_held(raw, keys, other)
    assert raw.zrange(keys.of("nodes"), 0, -1, withscores=True) == [("n1:b2", FAR)]


def test_a_dead_node_is_not_given_more_life(place: Place, raw: redis.Redis, keys: Keys) -> None:
    """What ended before stays ended then."""
    raw.zadd(keys.of("nodes"), {"n1:b1": 5.0})
    place.note(DEAD)

    assert place.run().returncode == 0
    assert raw.zscore(keys.of("nodes"), "n1:b1") == 5.0


def test_it_is_refused_while_the_process_lives(place: Place, raw: redis.Redis, keys: Keys) -> None:
    """Somebody who runs it by hand makes no second master."""
    hold(raw, keys)
    place.note(LIVING)

    done = place.run()

    assert (done.returncode, done.stdout) == (2, "")
    assert f"process {os.getpid()} still lives" in done.stderr
    assert is_held(raw, keys)
    assert not is_missed(raw, keys)


def test_what_was_written_in_another_place_is_not_judged(
    place: Place, raw: redis.Redis, keys: Keys
) -> None:
    """From another machine or container a living process looks dead."""
    hold(raw, keys)
    place.note(DEAD._replace(place="elsewhere pid:[1]"))

    assert place.run().returncode == 2
    assert is_held(raw, keys)


def test_without_a_file_there_is_nothing_to_do(place: Place) -> None:
    """After a daemon that left in order, and outside of systemd, it ends well and asks nobody."""
    assert place.run().returncode == 0
    assert place.run(RUNTIME_DIRECTORY="").returncode == 0


def test_a_file_that_is_none_is_told(place: Place) -> None:
    """It says so in a line, with no traceback."""
    place.file.write_text("{")

    done = place.run()

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_without_redis_it_says_so(tmp_path: Path, keys: Keys) -> None:
    """The lease runs out by itself then."""
    place = Place(tmp_path, keys, url=f"redis://127.0.0.1:{free_port()}")
    place.note(DEAD)

    done = place.run()

    assert done.returncode == 5
    assert done.stderr.startswith("hachat: Redis is not available")


def test_a_silent_redis_is_not_waited_for(own_server: Server, tmp_path: Path, keys: Keys) -> None:
    """A frozen server takes the connection and answers nothing; the unit's stop goes on."""
    place = Place(tmp_path, keys, url=own_server.url)
    place.note(DEAD)
    os.kill(own_server.process.pid, signal.SIGSTOP)
    began = monotonic()

    done = place.run()

    assert done.returncode == 5
    assert monotonic() - began < LIMIT + LOOSE


def test_a_replica_is_not_asked(
    tmp_path: Path, server: Server, own_server: Server, keys: Keys
) -> None:
    """A server that is no master any more gives nothing back."""
    place = Place(tmp_path, keys, url=own_server.url)
    place.note(DEAD)
    with closing(redis.Redis(host=own_server.host, port=own_server.port)) as client:
        client.replicaof(server.host, server.port)

    done = place.run()

    assert done.returncode == 5
    assert "not a master" in done.stderr


def test_the_login_is_the_one_the_daemon_had(tmp_path: Path, keys: Keys) -> None:
    """Neither settings nor credentials are looked at: systemd shows the latter to nobody after the daemon."""
    with run_server(tmp_path / "own", password="s3cret") as own:
        address = f"redis://{own.host}:{own.port}/2"
        place = Place(tmp_path, keys, url=address, password="s3cret")
        with closing(
            redis.Redis.from_url(address, password="s3cret", decode_responses=True)
        ) as client:
            hold(client, keys)
            place.note(DEAD)

            assert place.run(HACHAT_CONFIG=str(tmp_path / "missing")).returncode == 0
            assert client.get(keys.of("lease")) is None


def test_a_password_that_is_wrong_is_told(tmp_path: Path, keys: Keys) -> None:
    """Redis's own word reaches the journal, the password does not."""
    with run_server(tmp_path / "own", password="s3cret") as own:
        place = Place(tmp_path, keys, url=f"redis://:wr0ng@{own.host}:{own.port}")
        place.note(DEAD)

        done = place.run()

    assert done.returncode == 5
    assert "WRONGPASS" in done.stderr
    assert "wr0ng" not in done.stderr


def test_it_speaks_tls_to_whom_it_trusts(tmp_path: Path, keys: Keys) -> None:
    """With the certificate it does its work, without it it says nothing to that server."""
    key, certificate, port = tmp_path / "key.pem", tmp_path / "cert.pem", free_port()
    make_certificate(key, certificate)
    files = ["--tls-key-file", str(key), "--tls-cert-file", str(certificate)]
    options = ["--tls-port", str(port), *files, "--tls-auth-clients", "no"]
    url = f"rediss://localhost:{port}"
    with (
        run_server(tmp_path / "own", binary=find_redis(), options=options) as own,
        closing(redis.Redis(port=own.port, decode_responses=True)) as client,
    ):
        hold(client, keys)
        stranger = Place(tmp_path, keys, url=url)
        stranger.note(DEAD)

        assert stranger.run().returncode == 5
        assert is_held(client, keys)
        friend = Place(tmp_path, keys, url=url, tls_ca=str(certificate))
        friend.note(DEAD)
        assert friend.run().returncode == 0
        assert client.get(keys.of("lease")) is None


def test_the_master_is_found_through_sentinels(tmp_path: Path, keys: Keys) -> None:
    """One Sentinel that is frozen and one that is away delay nothing much."""
    with run_cluster(tmp_path, password="pw", sentinel_password="spw") as cluster:
        master = cluster.servers[0]
        place = Place(
            tmp_path,
            keys,
            sentinels=(*cluster.addresses[:2], f"127.0.0.1:{free_port()}"),
            service=SERVICE,
            password="pw",
            sentinel_password="spw",
        )
        with closing(
            redis.Redis(host=master.host, port=master.port, password="pw", decode_responses=True)
        ) as client:
            hold(client, keys)
            place.note(DEAD)
            os.kill(cluster.sentinels[1].process.pid, signal.SIGSTOP)

            done = place.run()

            assert done.returncode == 0, done.stderr
            assert client.get(keys.of("lease")) is None


def test_the_new_master_is_found_in_a_failover(tmp_path: Path, keys: Keys) -> None:
    """While Sentinels replace the master it asks again, for a second, and gives the lease back to whoever has it then."""
    with run_cluster(tmp_path) as cluster:
        old, new = cluster.servers
        place = Place(tmp_path, keys, sentinels=tuple(cluster.addresses), service=SERVICE)
        with (
            closing(redis.Redis(host=old.host, port=old.port)) as first,
            closing(redis.Redis(host=new.host, port=new.port)) as second,
        ):
            hold(first, keys)
            assert first.wait(1, 5000) == 1
            place.note(DEAD)
            cluster.fail_over()

            done = place.run()
            if done.returncode == UNREACHABLE:  # a busy machine takes them longer than that second
                assert "a failover of" in done.stderr
                done = place.run()

            assert done.returncode == 0, done.stderr
            assert second.get(keys.of("lease")) is None


def test_sentinels_are_asked_again_for_a_second(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They name nobody while they choose; after a second it is said that nothing was given back."""
    settings = RedisSettings(sentinels=("127.0.0.1:1",))
    answers = [None, None, Address(server.host, server.port)]

    def find(*_: object) -> Address:
        found = answers.pop(0) if answers else None
        if found is None:
            raise StoreUnavailable("a failover is under way")
        return found

    monkeypatch.setattr(release, "find_master", find)
    release._reach(describe(settings)).close()
    began = monotonic()
    with pytest.raises(StoreUnavailable, match="under way; the lease runs out by itself"):
        release._reach(describe(settings))
    assert release.PATIENCE <= monotonic() - began < release.LIMIT + LOOSE


def test_a_name_server_that_is_deaf_is_not_waited_for(tmp_path: Path, keys: Keys) -> None:
    """Whatever it waits for, it ends in time."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        place = Place(tmp_path, keys, url=f"redis://127.0.0.1:{deaf.getsockname()[1]}")
        place.note(DEAD)
        began = monotonic()

        assert place.run().returncode == 5
        assert monotonic() - began < LIMIT + LOOSE


def test_it_imports_what_it_needs_and_no_more() -> None:
    """Every millisecond is one without a master, and each of these takes a tenth of a second or more."""
    look = "import hachat.cli, hachat.daemon.release, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True
    ).stdout.split()

    assert {"trio", "redis", "click", "structlog", "httpx", "asyncio", "ssl"}.isdisjoint(loaded)
