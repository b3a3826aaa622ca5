"""Methods that are of use only where they are awaited."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from trio.lowlevel import in_trio_task

F = TypeVar("F", bound=Callable[..., Any])


def awaited(method: F) -> F:
    """Have an async method refuse to be called in a thread, where nobody could await it.

    Else `if ctx.confirm(...)` in a handler's method that is not async would be a yes to which nobody was asked.
    """

    @wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        refuse_threads(method.__qualname__)
        return method(*args, **options)

    return cast("F", call)


def refuse_threads(name: str) -> None:
    """Refuse the use of what is called `name` in a thread.

    Raises:
        RuntimeError: this is one; says what to use there.
    """
    if not in_trio_task():
        raise RuntimeError(
            f"{name} is for methods that are async; one that is not has ctx.questions, ctx.memory.sync and ctx.blocking_http"
        )
