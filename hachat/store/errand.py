"""Redis for a command that has milliseconds: a few questions over a blocking socket, with hiredis and nothing else.

trio, redis-py and a log take a third of a second to import; see `link.py` for everything that has more time.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import closing
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

from hachat.core.errors import StoreError, StoreRefused, StoreUnavailable
from hachat.store.masters import Answer, choose, read_answer

if TYPE_CHECKING:
    import ssl

Command: TypeAlias = tuple[str | int, ...]

_PATIENCE = 0.15
"""Seconds a Sentinel has to answer, as in `sentinel.py`."""

_CHUNK = 65536


class Address(NamedTuple):
    """Where a server is and what it wants to hear first; `path` is a local socket's, `context` None without TLS."""

    host: str = "localhost"
    port: int = 6379
    path: str = ""
    username: str = ""
    password: str = ""
    database: int = 0
    context: ssl.SSLContext | None = None

    @property
    def greeting(self) -> list[Command]:
        """What to say first."""
        login = tuple(filter(None, (self.username, self.password)))
        said: list[Command] = [("AUTH", *login)] if self.password else []
        return [*said, ("SELECT", self.database)] if self.database else said


def read_url(url: str, *, username: str, password: str, tls: bool, tls_ca: str) -> Address:
    """Return the server of a URL as `source.Direct` understands it; what is given beside it wins.

    Raises:
        ValueError: the URL names no server.
    """
    parts = urlsplit(url)
    extra = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    local = parts.scheme == "unix"
    secure = tls or parts.scheme == "rediss"
    database = extra.get("db") or ("" if local else parts.path.strip("/"))
    return Address(
        host=unquote(parts.hostname or "localhost"),
        port=parts.port or 6379,
        path=unquote(parts.path) if local else "",
        username=username or unquote(parts.username or extra.get("username", "")),
        password=password or unquote(parts.password or extra.get("password", "")),
        database=int(database or 0),
        context=make_context(tls_ca or extra.get("ssl_ca_certs", ""), extra) if secure else None,
    )


def make_context(trusted: str, options: dict[str, str] | None = None) -> ssl.SSLContext:
    """Return how to speak TLS: `trusted` is a file of certificates, empty for the system's; `options` as in redis-py's URLs.

    Raises:
        OSError: a file cannot be read, or is none of certificates.
    """
    import ssl  # noqa: PLC0415 - most of the time is spent importing, and most do without TLS

    options = options or {}
    context = ssl.create_default_context(cafile=trusted or None)
    if options.get("ssl_check_hostname", "").lower() in {"false", "0", "no"}:
        context.check_hostname = False
    if options.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if "ssl_certfile" in options:
        context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    return context


def find_master(sentinels: Sequence[Address], service: str) -> Address:
    """Return where the Sentinels say the master is; they are all asked at once.

    Raises:
        StoreUnavailable: they name none.
    """
    answers: list[Answer] = []
    threads = [
        Thread(target=_collect, args=(at, service, answers), daemon=True) for at in sentinels
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * _PATIENCE)
    master = choose(service, list(answers))
    return Address(host=master.host, port=master.port)


def _collect(address: Address, service: str, answers: list[Answer]) -> None:
    name = f"{address.host}:{address.port}"
    try:
        with closing(Errand(address, _PATIENCE)) as errand:
            state, found = errand.ask(
                ("SENTINEL", "MASTER", service), ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
            )
        answers.append(read_answer(name, state, found))
    except (StoreError, TypeError, ValueError, KeyError) as error:
        answers.append(Answer(name, None, str(error)))


class Errand:
    """A connection to one server; what it is for is asked with `ask`, then it is closed.

    Raises:
        StoreUnavailable: it cannot be reached; no step of that takes longer than `timeout` seconds.
        StoreRefused: it refused the login.
    """

    def __init__(self, address: Address, timeout: float) -> None:
        self._reader = hiredis.Reader()
        try:
            self._socket = _connect(address, timeout)
        except OSError as error:
            raise StoreUnavailable(f"Redis is not available: {error}") from error
        try:
            self.ask(*address.greeting)
        except StoreError:
            self.close()
            raise

    def ask(self, *commands: Command) -> list[Any]:
        """Return the answers to `commands`, which go out together.

        Raises:
            StoreUnavailable: no answer; whether they were carried out is unknown.
            StoreRefused: Redis said no to one of them.
        """
        try:
            self._socket.sendall(b"".join(map(_pack, commands)))
            answers = [self._receive() for _ in commands]
        except (OSError, hiredis.HiredisError) as error:
            raise StoreUnavailable(f"Redis is not available: {error}") from error
        for answer in answers:
            if isinstance(answer, hiredis.ReplyError):
                raise StoreRefused(f"Redis refused: {answer}")
        return answers

    def close(self) -> None:
        """Let go of the connection."""
        self._socket.close()

    def _receive(self) -> Any:
        while (answer := self._reader.gets()) is False:
            data = self._socket.recv(_CHUNK)
            if not data:
                raise ConnectionError("the connection was closed")
            self._reader.feed(data)
        return answer


def _pack(command: Command) -> bytes:
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]  # its stub means one part
    return packed


def _connect(address: Address, timeout: float) -> socket.socket:
    if address.path:
        local = socket.socket(socket.AF_UNIX)
        local.settimeout(timeout)
        try:
            local.connect(address.path)
        except OSError:
            local.close()
            raise
        return local
    plain = socket.create_connection((address.host, address.port), timeout)
    if address.context is None:
        return plain
    try:
        return address.context.wrap_socket(plain, server_hostname=address.host)
    except OSError:
        plain.close()
        raise
