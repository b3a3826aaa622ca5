"""Only who knows the secret can sign."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachat.core.errors import Unsigned
from hachat.core.signatures import SCHEMES, Scheme, make_headers, sign, verify

NOW = 1_531_420_618.0


def test_github_s_example() -> None:
    """The one that their documentation gives."""
    given_ = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": given_}
    verify("github", "It's a Secret to Everybody", headers, b"Hello, World!", NOW)


def test_slack_s_way() -> None:
    """The time is signed too."""
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": f"v0={sign('key', b'v0:1531420618:token=a&text=b')}",
    }
    verify("slack", "key", headers, b"token=a&text=b", NOW)
    for now in (NOW + 301, NOW - 301):
        with pytest.raises(Unsigned, match="not a time within 300 s"):
            verify("slack", "key", headers, b"token=a&text=b", now)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_without_a_signature_nothing_is_taken(scheme: Scheme) -> None:
    """The header is named."""
    with pytest.raises(Unsigned, match="is missing"):
        verify(scheme, "key", {}, b"", NOW)


@given(st.sampled_from(SCHEMES), st.text(), st.text(), st.binary())
def test_no_guess_is_taken(scheme: Scheme, signature: str, at: str, body: bytes) -> None:
    """Whatever is sent."""
    headers = {
        "x-hub-signature-256": signature or "-",
        "x-signature-256": signature or "-",
        "x-slack-signature": signature or "-",
        "x-slack-request-timestamp": at,
    }
    with pytest.raises(Unsigned):
        verify(scheme, "key", headers, body, NOW)


@given(st.binary(), st.binary())
def test_a_signature_is_that_of_one_body(body: bytes, other: bytes) -> None:
    """A body that was changed on its way is not taken."""
    headers = {"x-signature-256": f"sha256={sign('key', body)}"}
    verify("hmac", "key", headers, body, NOW)
    if other != body:
        with pytest.raises(Unsigned, match="not the signature of this body"):
            verify("hmac", "key", headers, other, NOW)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_headers_that_a_service_would_send_are_accepted(scheme: Scheme) -> None:
    """For its body and no other."""
    headers = {k.lower(): v for k, v in make_headers(scheme, "s", b"{}", 1000.5).items()}
    verify(scheme, "s", headers, b"{}", 1000.5)
    with pytest.raises(Unsigned):
        verify(scheme, "s", headers, b"[]", 1000.5)
