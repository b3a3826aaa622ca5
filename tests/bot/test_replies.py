"""What handlers have said: numbered, in order, bounded, and heard of as it is said."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from hachat.bot.replies import MAX_REPLIES, Replies
from hachat.core.messages import Reply


def make() -> Replies:
    """Return what a route has said about M1: nothing yet."""
    return Replies("M1", "deploy.ship")


def test_replies_are_numbered() -> None:
    """Each has an id that another run of the same route would give it."""
    replies = make()
    replies.add("irc/#lab", "one", "T1")
    replies.add("irc/#ops", "two", origin="irc/#lab")

    assert list(replies) == [
        Reply("M1/deploy.ship/1", "irc/#lab", "one", thread="T1", about="M1"),
        Reply("M1/deploy.ship/2", "irc/#ops", "two", about="M1", origin="irc/#lab"),
    ]


def test_replies_are_bounded() -> None:
    """A handler that cannot stop talking is stopped, before its replies fill the queue."""
    replies = make()
    for _ in range(MAX_REPLIES):
        replies.add("irc/#lab", "more")
    with pytest.raises(RuntimeError, match=r"deploy\.ship has replied 200 times"):
        replies.add("irc/#lab", "more")
    assert len(list(replies)) == MAX_REPLIES


def test_who_listens_hears_of_what_was_recorded_only() -> None:
    """`hear` is called after each reply, when it can be read already, and not for what was refused."""
    replies = make()
    heard: list[int] = []
    replies.hear = lambda: heard.append(len(list(replies)))
    replies.add("irc/#lab", "one")
    replies.add("irc/#lab", "two")
    replies.close()
    with pytest.raises(RuntimeError, match="has ended"):
        replies.add("irc/#lab", "late")
    with pytest.raises(ValueError, match="is empty"):
        replies.add("irc/#lab", " ")
    assert heard == [1, 2]


def test_only_text_is_said() -> None:
    """Whoever says anything else learns what is wrong, and with what."""

    async def look() -> str:
        return "text"

    forgotten = look()
    for said, why in ((forgotten, "`await` is missing"), (5, "says 5, which is no text")):
        with pytest.raises(TypeError, match=rf"deploy\.ship .*{why}"):
            make().add("irc/#lab", said)  # type: ignore[arg-type] # the mistake that is meant
    forgotten.close()


def test_what_is_cut_is_told_of() -> None:
    """Whoever wrote the handler finds it in the log."""
    replies = make()
    with capture_logs() as logs:
        replies.add("irc/#lab", "x" * 100_000)
        replies.add("irc/#lab", "\ud800")
    (cut,) = logs
    assert (cut["event"], cut["route"], cut["characters"]) == (
        "a text was cut",
        "deploy.ship",
        100_000,
    )
    assert [reply.text for reply in replies] == ["x" * cut["said"], "?"]
