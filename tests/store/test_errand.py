"""A few questions to Redis without a loop: where it is, what it answers, and servers that answer nothing of use."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from hachat.core.errors import StoreRefused, StoreUnavailable
from hachat.store.embedded import Server, free_port, run_server
from hachat.store.errand import Address, Errand, find_master, read_url


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://", Address()),
        ("redis://h:7000/3", Address(host="h", port=7000, database=3)),
        ("redis://u:p%40@h", Address(host="h", username="u", password="p@")),
        ("redis://h?db=2", Address(host="h", database=2)),
        ("redis://[::1]:7000", Address(host="::1", port=7000)),
        ("unix:///run/r.sock?db=1", Address(path="/run/r.sock", database=1)),
    ],
)
def test_a_url_is_understood(url: str, address: Address) -> None:
    """It names the same server as for everything else that talks to Redis."""
    assert read_url(url, username="", password="", tls=False, tls_ca="") == address


def test_what_is_set_beside_the_url_wins() -> None:
    """A secret from a file stands above one in the URL."""
    found = read_url("redis://u:p@h", username="v", password="q", tls=False, tls_ca="")
    assert (found.username, found.password) == ("v", "q")


@pytest.mark.parametrize("url", ["redis://h:port", "redis://h:99999", "redis://h/first"])
def test_a_url_that_names_no_server_is_refused(url: str) -> None:
    """A slip is a ValueError, which its caller tells."""
    with pytest.raises(ValueError, match=r".+"):
        read_url(url, username="", password="", tls=False, tls_ca="")


def test_questions_are_answered_in_their_order(server: Server) -> None:
    """Several go out together."""
    with closing(Errand(Address(server.host, server.port), 2.0)) as errand:
        assert errand.ask(("ECHO", "a" * 200_000), ("ECHO", "b")) == [b"a" * 200_000, b"b"]


def test_a_refusal_is_told_from_silence(server: Server) -> None:
    """What Redis says no to is not tried again."""
    with (
        closing(Errand(Address(server.host, server.port), 2.0)) as errand,
        pytest.raises(StoreRefused, match="unknown command"),
    ):
        errand.ask(("NONSENSE",))


def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    """Nothing else is said then."""
    with run_server(tmp_path, password="secret") as guarded, pytest.raises(StoreRefused):
        Errand(Address(guarded.host, guarded.port, password="wrong"), 2.0)


@pytest.fixture(params=[b"", b"$10\r\nhal", b"HTTP/1.1 400 Bad Request\r\n\r\n", None])
def strange(request: pytest.FixtureRequest) -> Iterator[Address]:
    """Something that listens, and answers nothing, half of something, something else, or never."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                if request.param is None:
                    connection.recv(1000)  # until the other side has gone
                else:
                    connection.sendall(request.param)

        thread = Thread(target=answer)
        thread.start()
        yield Address("127.0.0.1", listener.getsockname()[1])
        thread.join(5.0)


def test_an_answer_that_is_none_is_unavailable(strange: Address) -> None:
    """Cut off, rubbish or silence: the outcome is unknown, and there is no traceback."""
    with closing(Errand(strange, 0.3)) as errand, pytest.raises(StoreUnavailable):
        errand.ask(("PING",))


def test_nobody_there_is_unavailable() -> None:
    """Neither a server nor a Sentinel that could name one."""
    nobody = Address("127.0.0.1", free_port())
    with pytest.raises(StoreUnavailable):
        Errand(nobody, 0.3)
    with pytest.raises(StoreUnavailable):
        find_master([nobody, nobody], "hachat")
