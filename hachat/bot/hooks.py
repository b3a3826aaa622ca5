"""Decorators for webhooks, one for each HTTP method."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from hachat.bot.declarations import HookDeclaration
from hachat.bot.handler import F, name_method, read_policy, record, refuse_bare
from hachat.core.errors import HandlerError
from hachat.core.signatures import SCHEMES, Scheme

WAITS = 10.0
"""Seconds for which the sender of an inline webhook waits, unless its route says otherwise."""

_PATH = re.compile(r"(?:/(?:[\w.~-]+|<[a-zA-Z_]\w*>))+")


class Verb:
    """A decorator for one HTTP method."""

    def __init__(self, method: str) -> None:
        self.method = method

    def __call__(
        self,
        path: str,
        *,
        signature: Scheme | None = None,
        secret: str = "secret",  # noqa: S107 - the name of an attribute
        age: float | None = None,
        inline: bool = False,
        **policy: Any,
    ) -> Callable[[F], F]:
        """Run the method for each request to `path`, such as `/deploy/<app>`; see `docs/handlers.md` and `command`.

        A request is queued, answered, and handled by any node.  With `inline` its sender waits for what the method returns on the node
        that was asked, for `timeout` seconds, 10 unless it is given: a `Response`, text, bytes, or what becomes JSON.

        With `signature` only requests are accepted that are signed, as `github` or `slack` do it or with a plain `hmac`, by whoever
        knows what the handler's attribute named `secret` holds.

        Raises:
            HandlerError: the path or the method cannot be used; says which and why.
        """
        refuse_bare(f"hook.{self.method.lower()}", path)

        def declare(function: F) -> F:
            where = f"@hook.{self.method.lower()} on {name_method('hook', function)}"
            if not isinstance(path, str) or not _PATH.fullmatch(path):
                raise HandlerError(
                    f"{where}: {path!r} is no path; write one like /deployed or /deploy/<app>"
                )
            variables = re.findall(r"<(\w+)>", path)
            if len(set(variables)) < len(variables):
                raise HandlerError(
                    f"{where}: {path} names a variable twice; give each its own name"
                )
            if signature is not None and signature not in SCHEMES:
                raise HandlerError(
                    f"{where}: no signature {signature!r} is known; known are {', '.join(SCHEMES)}"
                )
            if inline:
                _refuse_later(where, {**policy, **({"age": age} if age is not None else {})})
                policy.setdefault("timeout", WAITS)
            decorator = f"hook.{self.method.lower()}"
            how = read_policy(decorator, function, policy, age, also=("age", "inline"))
            declared = HookDeclaration(self.method, path, how, signature, secret, inline)
            return record(function, declared)

        return declare


def _refuse_later(where: str, policy: Collection[str]) -> None:
    for name in ("age", "order", "retry", "run"):
        if name in policy:
            raise HandlerError(f"{where}: {name} is for what is queued; leave it or inline out")


class Hooks:
    """Decorators for webhooks, one for each HTTP method."""

    get = Verb("GET")
    post = Verb("POST")
    put = Verb("PUT")
    patch = Verb("PATCH")
    delete = Verb("DELETE")


hook = Hooks()
"""`@hook.post("/deployed")` and so on."""
