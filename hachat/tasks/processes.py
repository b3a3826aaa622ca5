"""Processes of our own for work that keeps a processor busy.

Each runs `child.main`, is asked one thing at a time as a line of JSON and answers with another; nothing is pickled.  One is
started when it is first needed.  One that is to stop is killed: nothing else stops a busy processor.

They end with this process, however that ends: each holds the reading end of a pipe on which nobody writes, and the kernel signals
it (`O_ASYNC`, see fcntl(2)) when the other end, which only we have, is gone.  That needs no help of the interpreter, which may be
busy.
"""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType
from typing import Self

import msgspec
import trio

from hachat.core.errors import ProcessDied, ProcessFailed
from hachat.tasks.child import answer

GOODBYE = 2.0
"""Seconds until a process that was killed is gone, at most."""

MAX_LINE = 16 * 1024 * 1024
"""Bytes of an answer."""


class Answer(msgspec.Struct):
    """What a child answers: a result, as JSON, or the error with its trace."""

    result: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    trace: str = ""


class _Child:
    """A process that waits for work, or does some."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self._rest = b""

    async def ask(self, line: bytes) -> bytes:
        """Return the line that answers; EOFError tells that the process is gone."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            await stdin.send_all(line + b"\n")
        except trio.BrokenResourceError:
            raise EOFError from None
        told = bytearray()
        while not told.endswith(b"\n"):
            some = await stdout.receive_some()
            if not some or len(told) > MAX_LINE:
                raise EOFError
            told += some
        return bytes(told)

    async def end(self) -> None:
        """Kill the process, and wait until it is gone."""
        self.process.kill()
        with trio.move_on_after(GOODBYE, shield=True):
            await self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    await pipe.aclose()


class Processes:
    """At most `most` processes, each of which is kept for the next call; 0 for as many as there are processors."""

    def __init__(self, most: int = 0) -> None:
        self._limiter = trio.CapacityLimiter(most or os.cpu_count() or 1)
        self._idle: list[_Child] = []
        self._life: tuple[int, int] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def call(self, function: str, arguments: bytes) -> bytes:
        """Call `module:function` with the items of the JSON list `arguments`, and return the result as JSON.

        A cancel kills the process.

        Raises:
            ProcessFailed: the function raised an error, or could not be found.
            ProcessDied: the process ended instead; the next call is given another one.
        """
        line = _write(function, arguments)
        async with self._limiter:
            child = self._idle.pop() if self._idle else await self._start()
            try:
                data = await child.ask(line)
            except EOFError:
                await child.end()
                code = child.process.returncode
                raise ProcessDied(
                    f"the process that ran {function} ended with {code} before it was done"
                ) from None
            except BaseException:
                await child.end()
                raise
            self._idle.append(child)
        return _read(data)

    async def close(self) -> None:
        """End the processes that wait; those that work end with their calls."""
        while self._idle:
            await self._idle.pop().end()
        if self._life is not None:
            for end in self._life:
                os.close(end)
            self._life = None

    async def _start(self) -> _Child:
        if self._life is None:
            self._life = os.pipe()
        life = self._life[0]
        code = "import sys; from hachat.tasks.child import main; main(int(sys.argv[1]))"
        process = await trio.lowlevel.open_process(
            [sys.executable, "-c", code, str(life)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(life,),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        return _Child(process)


async def call_here(function: str, arguments: bytes) -> bytes:
    """Do what `Processes.call` does, in a thread: for what has no processes, such as a test."""
    line = _write(function, arguments)
    return _read(await trio.to_thread.run_sync(answer, line, abandon_on_cancel=True))


def _write(function: str, arguments: bytes) -> bytes:
    return msgspec.json.encode({"function": function, "arguments": msgspec.Raw(arguments)})


def _read(data: bytes) -> bytes:
    told = msgspec.json.decode(data, type=Answer)
    if told.error:
        failure = ProcessFailed(told.error)
        failure.add_note(told.trace)
        raise failure
    return bytes(told.result)
