"""Which Redis a node talks to, by its settings."""

from __future__ import annotations

from typing import Any

from hachat.core.settings import RedisSettings
from hachat.store.sentinel import Sentinels
from hachat.store.source import Direct, Source


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
