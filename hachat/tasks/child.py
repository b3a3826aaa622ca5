"""What a process does that works for another one: it calls what it is told to, one after the other."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

import msgspec


class Order(msgspec.Struct):
    """A function, `module:function`, and its arguments."""

    function: str
    arguments: list[Any]


def main(life: int) -> None:
    """Answer until there is nobody to answer; `life` is a pipe whose other end is open as long as there is."""
    _end_with(life)
    # Whatever a function prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; our parent decides
    for line in sys.stdin.buffer:
        answers.write(answer(line) + b"\n")
        answers.flush()


def answer(line: bytes) -> bytes:
    """Do what one line says, and return what is answered."""
    try:
        order = msgspec.json.decode(line, type=Order)
        result = find(order.function)(*order.arguments)
        return msgspec.json.encode({"result": result})
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is told to whoever asked
        text = f"{type(error).__name__}: {error}"
        return msgspec.json.encode({"error": text, "trace": traceback.format_exc()})


def find(name: str) -> Callable[..., Any]:
    """Return the function called `module:function`.

    Raises:
        LookupError: there is none; says so.
    """
    module, _, function = name.partition(":")
    found = getattr(import_module(module), function, None)
    if not callable(found):
        raise LookupError(f"{name} is no function")  # noqa: TRY004 - it was not found
    return found  # type: ignore[no-any-return]


def _end_with(life: int) -> None:
    """Let the kernel end this process when the other end of `life` is closed."""
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(life, fcntl.F_GETFL)
    fcntl.fcntl(life, fcntl.F_SETFL, flags | os.O_ASYNC)
    if select.select([life], [], [], 0)[0]:  # it was closed before we listened
        sys.exit(1)
