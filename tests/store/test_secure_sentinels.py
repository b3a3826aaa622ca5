"""Redis and Sentinels that speak only TLS to users with names of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from hachat.core.errors import StoreRefused, StoreUnavailable
from hachat.core.redis_settings import RedisSettings
from hachat.daemon.lease_file import describe
from hachat.daemon.release import _reach
from hachat.daemon.sources import make_source
from hachat.store import errand, sentinel
from hachat.store.embedded import free_port, run_child, run_server
from hachat.store.source import Source
from tests.certificates import make_certificate
from tests.store.binaries import find_redis
from tests.store.links import ask
from tests.waiting import until

SERVICE = "secure"


@dataclass(frozen=True)
class Secure:
    """Where the Sentinel is, and the certificate of both."""

    sentinel: str
    certificate: str

    def settings(self, **other: Any) -> RedisSettings:
        """Return settings that are right but for `other`."""
        right: dict[str, Any] = {
            "sentinels": (self.sentinel,),
            "service": SERVICE,
            "username": "bot",
            "password": "bot-secret",
            "sentinel_username": "watcher",
            "sentinel_password": "watcher-secret",
            "tls": True,
            "tls_ca": self.certificate,
        }
        return RedisSettings(**{**right, **other})


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """A master and the one Sentinel that watches it."""
    directory = tmp_path_factory.mktemp("secure")
    key, certificate = directory / "key.pem", directory / "cert.pem"
    make_certificate(key, certificate)
    ports = free_port(), free_port()
    tls = {
        "tls-key-file": key,
        "tls-cert-file": certificate,
        "tls-ca-cert-file": certificate,
        "tls-auth-clients": "no",
        "tls-replication": "yes",
    }
    words = [word for name, value in tls.items() for word in (f"--{name}", str(value))]
    words += ["--tls-port", str(ports[0])]
    words += ["--user", "bot", "on", ">bot-secret", "~*", "&*", "+@all"]
    lines = [
        "port 0",
        f"tls-port {ports[1]}",
        "bind 127.0.0.1",
        f"dir {directory}",
        *(f"{name} {value}" for name, value in tls.items()),
        "user watcher on >watcher-secret allchannels +@all",
        "user default off",
        f"sentinel monitor {SERVICE} 127.0.0.1 {ports[0]} 1",
        f"sentinel auth-user {SERVICE} bot",
        f"sentinel auth-pass {SERVICE} bot-secret",
    ]
    conf = directory / "sentinel.conf"
    conf.write_text("\n".join(lines) + "\n")
    with ExitStack() as stack:
        stack.enter_context(run_server(directory / "redis", binary=find_redis(), options=words))
        stack.enter_context(run_child([str(find_redis()), str(conf), "--sentinel"]))
        yield Secure(f"127.0.0.1:{ports[1]}", str(certificate))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a busy machine time for TLS: what is refused must not be taken for slow."""
    monkeypatch.setattr(sentinel, "_PATIENCE_TLS", 5.0)
    monkeypatch.setattr(errand, "_PATIENCE", 2.0)


async def found(source: Source) -> bool:
    """Whether the Sentinel is up, and names the master."""
    try:
        return bool(await ask(source, "ACL", "WHOAMI") == b"bot")
    except StoreUnavailable:
        return False


async def test_the_master_is_found_and_spoken_to(secure: Secure) -> None:
    """With its users and its certificate, by the daemon and by `hachat release`."""
    await until(lambda: found(make_source(secure.settings())), within=10.0)

    _reach(describe(secure.settings())).close()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"sentinel_password": "no"}, "login"),
        ({"sentinel_username": "bot"}, "login"),
        ({"tls_ca": ""}, "certificate"),
        ({"tls": False}, "no Sentinel names a master"),
    ],
)
async def test_what_the_sentinels_do_not_take_is_told(
    secure: Secure, wrong: dict[str, Any], why: str
) -> None:
    """Nobody is asked without a login, and nothing said to who cannot show who it is."""
    await until(lambda: found(make_source(secure.settings())), within=10.0)
    with pytest.raises(StoreUnavailable, match=why):
        await make_source(secure.settings(**wrong)).open(2.0)


async def test_a_login_that_redis_does_not_take_is_told(secure: Secure) -> None:
    """The Sentinel's user is none of Redis."""
    await until(lambda: found(make_source(secure.settings())), within=10.0)
    with pytest.raises(StoreRefused, match="login"):
        await ask(make_source(secure.settings(username="watcher")), "PING")
