"""What is a secret, and what is left of a text without it."""

from __future__ import annotations

import pytest

from hachat.core.redaction import MASK, is_secret, mask, mask_text


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "sentinel_password",
        "redis.password",
        "accessToken",
        "client-secret",
        "api_key",
        "Authorization",
    ],
)
def test_names_that_say_secret(name: str) -> None:
    """A name that ends in one of the words is a secret's, however it is written."""
    assert is_secret(name)


@pytest.mark.parametrize("name", ["password_file", "key", "tokens_left", "username", "routing_key"])
def test_names_that_do_not(name: str) -> None:
    """The word within a name, or a key that opens nothing, is no secret."""
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("redis://:pw@host:1/0", "redis://****@host:1/0"),
        (
            "cannot reach rediss://me:p@w@host/0, or http://x/y@z",
            "cannot reach rediss://****@host/0, or http://x/y@z",
        ),
        ("redis://host/0?db=1&password=pw&ssl=1", "redis://host/0?db=1&password=****&ssl=1"),
        ("https://x/?access_token=a", "https://x/?access_token=****"),
        ("me@host: //nothing", "me@host: //nothing"),
    ],
)
def test_urls_lose_their_logins(text: str, left: str) -> None:
    """Logins and secret parameters go; the rest of the URL and of the text stays."""
    assert mask_text(text) == left


def test_mask_reaches_everything() -> None:
    """Secrets are hidden at any depth, whatever they hold, and what is not plain data is shown masked."""
    value = {
        "a": [{"token": "x", "password": ""}, ("redis://u:p@h",)],
        "secrets": {"b": 1},
        "n": 1.5,
        "none": None,
        "error": OSError("redis://u:p@h"),
    }

    assert mask(value) == {
        "a": [{"token": MASK, "password": ""}, ["redis://****@h"]],
        "secrets": MASK,
        "n": 1.5,
        "none": None,
        "error": "OSError('redis://****@h')",
    }
