"""How single messages are told of, as bytes and arguments."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hachat.core.messages import Job, Message, Reply, Room, User
from hachat.store.commits import Commit, Head, Later, Token, mark, pack_job, read_head, write_commit

MESSAGE = Message("m1", Room("t", "a|ü"), User("u"), "hi | there", 1.0)
TOKEN = Token("chat", "1-1", "t/a|ü")


def test_what_stands_in_a_list_can_be_read_back() -> None:
    """The id stands in front, and whatever the envelope holds is kept to the byte."""
    item = mark(MESSAGE)
    head = read_head(item)

    assert head is not None
    assert (head.id, item) == ("m1", b"m1|" + head.data)
    assert read_head(b"") is None


@given(st.binary())
def test_rubbish_in_a_list_is_read_as_something(item: bytes) -> None:
    """No bytes upset whoever reads them; what they are is found out later."""
    head = read_head(item)

    assert (head is None) == (not item)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_a_job_can_be_taken_apart_by_its_length(room: str) -> None:
    """Whatever a conversation is called, its length in bytes tells where the envelope begins."""
    value = Message("m1", Room("t", room), User("u"), "x", 1.0)
    lane, length, rest = pack_job("chat", value).split(b"|", 2)
    conversation, item = rest[: int(length)], rest[int(length) :]

    assert (lane, conversation.decode(), item) == (b"chat", value.conversation, mark(value))


def test_a_commit_is_written_with_its_replies_and_what_comes_later() -> None:
    """Script and writer agree on places: four of the commit, two of a dead letter, two for each reply, three for each later thing."""
    reply, job = Reply("m1/r/1", "t/b", "ok"), Job("j1", "h.m", 5.0)
    letter = Message("m1", Room("t", "a"), User("u"), "x", 1.0, only=("h.m",))
    commit = Commit(
        TOKEN,
        Head("m1", b"{}"),
        [reply],
        give_way=True,
        give_up="why",
        later=[Later("j1", 1.5, "work", job)],
        again=True,
        letter=letter,
    )
    arguments: list[str | bytes | int] = []
    write_commit(commit, arguments)

    assert arguments == [
        *("1-1", "t/a|ü", "m1", "1 1 wad 0", "why", mark(letter)),
        *("t/b", mark(reply)),
        *("j1", 1500, pack_job("work", job)),
    ]
    arguments.clear()
    write_commit(Commit(TOKEN), arguments)
    assert arguments == ["1-1", "t/a|ü", "", "0 0  0"]
