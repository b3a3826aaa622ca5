"""What a handler's method wants to be given, read from its parameters and their annotations."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from hachat.bot.arguments import KINDS, Kind
from hachat.core.errors import HandlerError

Decode = Callable[[bytes], Any]

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Signature:
    """The parameters of one bound method behind `ctx`, and what may be passed for each.

    Raises:
        HandlerError: there is no `ctx`, or a decorator turned an async method into another.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method: Any = method
        parameters = list(inspect.signature(method).parameters.values())
        if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
            raise self.fault("the first parameter after self must be ctx: Context")
        if inspect.iscoroutinefunction(inspect.unwrap(method)) and not inspect.iscoroutinefunction(
            method
        ):
            raise self.fault(
                "a decorator hides that it is async; make the decorator's wrapper async"
            )
        self._parameters = {p.name: p for p in parameters[1:] if p.kind in _NAMED}

    @property
    def names(self) -> list[str]:
        """The parameters, in order."""
        return list(self._parameters)

    def fault(self, reason: str) -> HandlerError:
        """Return the error that names this method and says `reason`."""
        return HandlerError(
            f"{type(self._method.__self__).__qualname__}.{self._method.__name__}: {reason}"
        )

    def is_optional(self, name: str) -> bool:
        """Tell whether the method can do without `name`."""
        return self._parameters[name].default is not inspect.Parameter.empty

    def is_keyword(self, name: str) -> bool:
        """Tell whether `name` can be given by its name only."""
        return self._parameters[name].kind is inspect.Parameter.KEYWORD_ONLY

    def read_kind(self, name: str) -> Kind:
        """Return what text is converted to for `name`, one of `KINDS`; `int | None` counts as int.

        Raises:
            HandlerError: it is annotated as anything else.
        """
        hint = self._resolve(name, default=str)
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            choices = [choice for choice in typing.get_args(hint) if choice is not types.NoneType]
            hint = choices[0] if len(choices) == 1 else hint
        if hint not in KINDS:
            kinds = ", ".join(kind.__name__ for kind in KINDS)
            raise self.fault(f"{name} must be one of {kinds}, not {hint!r}")
        kind: Kind = hint
        return kind

    def read_decoder(self, name: str) -> Decode:
        """Return what makes a request's body into `name`; a str or bytes is the body as it came.

        Raises:
            HandlerError: its annotation is nothing a body can become.
        """
        hint = self._resolve(name, default=Any)
        if hint is bytes:
            return bytes
        if hint is str:
            return bytes.decode
        return self.read_json(name, "a body")

    def read_json(self, name: str, source: str) -> Decode:
        """Return what makes JSON, which is called `source`, into `name`.

        Raises:
            HandlerError: its annotation is nothing JSON can become.
        """
        hint = self._resolve(name, default=Any)
        try:
            if not isinstance(msgspec.inspect.type_info(hint), msgspec.inspect.CustomType):
                return msgspec.json.Decoder(hint).decode
        except (TypeError, NameError) as error:
            raise self.fault(f"{source} cannot become {name}: {hint!r}: {error}") from error
        raise self.fault(
            f"{source} cannot become {name}: {hint!r}; annotate it with a msgspec.Struct"
        )

    def _resolve(self, name: str, default: Any) -> Any:
        """Return what one annotation means; the others may exist for type checkers only."""
        annotation = self._parameters[name].annotation
        if annotation is inspect.Parameter.empty:
            return default
        holder = types.SimpleNamespace(__annotations__={name: annotation})
        names = inspect.unwrap(self._method).__globals__
        try:
            return typing.get_type_hints(holder, names, dict(vars(type(self._method.__self__))))[
                name
            ]
        except Exception as error:
            raise self.fault(
                f"cannot tell what {name}: {annotation} is ({error}); "
                "define it in the module, outside `if TYPE_CHECKING:`"
            ) from error
