"""Which Redis a node talks to, and when what it writes counts, by its settings."""

from __future__ import annotations

from typing import Any

from hachat.core.redis_settings import RedisSettings
from hachat.store.link import Link
from hachat.store.sentinels import Sentinels
from hachat.store.source import Direct, Source


def make_link(settings: RedisSettings, timeout: float) -> Link:
    """Return a link to the Redis of the settings, on which no answer is waited for longer than `timeout` seconds."""
    return Link(make_source(settings), timeout=timeout, replicas=settings.replicas)


def make_source(settings: RedisSettings) -> Source:
    """Return the single server the settings name, or what finds the master through their Sentinels."""
    if settings.sentinels:
        return Sentinels(
            settings.sentinels,
            settings.service,
            username=settings.username,
            password=settings.password,
            sentinel_username=settings.sentinel_username,
            sentinel_password=settings.sentinel_password,
            tls=settings.tls,
            tls_ca=settings.tls_ca,
        )
    options: dict[str, Any] = {
        "username": settings.username,
        "password": settings.password,
        "ssl": settings.tls,
        "ssl_ca_certs": settings.tls_ca,
    }
    return Direct(settings.url, **{name: value for name, value in options.items() if value})
