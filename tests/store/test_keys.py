"""The names of keys: one slot for a cluster, none shared by two clusters."""

from __future__ import annotations

import pytest

from hachat.store import keys as module
from hachat.store.keys import LANES, Keys

KEYS = Keys("prod")


@pytest.mark.parametrize(
    ("key", "rest"),
    [
        (KEYS.of("lease"), "lease"),
        (KEYS.ready("chat"), "ready:chat"),
        (KEYS.mailbox("irc/#ops"), "mailbox:irc/#ops"),
        (KEYS.outbox("irc/#ops"), "outbox:irc/#ops"),
        (KEYS.answers("n1:b1"), "answers:n1:b1"),
        (KEYS.seen("irc:e1"), "seen:irc:e1"),
        (KEYS.sent("m1/r/1"), "sent:m1/r/1"),
        (KEYS.rooms("irc"), "rooms:irc"),
    ],
)
def test_all_keys_of_a_cluster_share_their_hash_tag(key: str, rest: str) -> None:
    """A script may touch any of them together, on a Redis cluster too."""
    assert key == "{hachat:prod}:" + rest


def test_clusters_share_no_key() -> None:
    """Two clusters on one Redis never meet."""
    assert Keys("a").of("lease") != Keys("b").of("lease")


def test_rooms_with_odd_names_share_no_key() -> None:
    """A room whose name has braces or colons has keys of its own, with the cluster's tag in front."""
    odd = KEYS.mailbox("irc/{x}:y")

    assert odd.startswith("{hachat:prod}:mailbox:")
    assert odd != KEYS.mailbox("irc/{x}:z")


def test_lanes_have_streams_of_their_own() -> None:
    """A person never stands behind work."""
    assert len({KEYS.ready(lane) for lane in LANES}) == len(LANES)


def test_every_kind_of_key_is_in_the_table() -> None:
    """The module's table is the operator's map of Redis."""
    table = module.__doc__ or ""
    names = "ready:<lane>", "mailbox:<conversation>", "outbox:<room>", "seen:<source>"
    for name in (*names, "answers:<consumer>", "sent:<reply id>", "rooms:<adapter>"):
        assert f"\n{name} " in table
