"""What the author of a handler writes: a class, and decorators on its methods.

A decorator only declares; `hachat.bot.binding.bind` turns what a class declares into routes once there is an instance.
Whatever is wrong with a declaration is said as the module is imported.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar, overload

import msgspec

from hachat.bot.consent import Confirm, read_confirm, read_groups
from hachat.bot.constraints import NAMES, Constraints, read_constraints
from hachat.bot.declarations import DECLARED, ChatDeclaration, Declaration, JobDeclaration
from hachat.bot.description import Usage, describe_pattern, read_usage
from hachat.bot.patterns import Pattern, TooSlow
from hachat.bot.policy import COMMAND_AGE, Policy
from hachat.core.errors import HandlerError
from hachat.core.slots import Missed, parse_schedule

F = TypeVar("F", bound=Callable[..., Any])


class Handler:
    """Base of every handler; each node makes one instance when it starts.

    `name` is the class name in lower case with underscores unless the class sets it; it names the handler's routes and
    its section of the settings.  A class that sets `Settings` is made with that section, decoded, as its only argument;
    every other is made with none.
    """

    name: ClassVar[str] = ""
    section: Mapping[str, Any] = MappingProxyType({})
    """What its settings were decoded from."""
    Settings: ClassVar[type[msgspec.Struct] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()


def command(
    pattern: str,
    *,
    help: str = "",  # noqa: A002 - the word reads best where it is written
    groups: Iterable[str] = (),
    age: float | None = COMMAND_AGE,
    confirm: bool | Confirm = False,
    extensions: Mapping[str, Any] | None = None,
    **options: Any,
) -> Callable[[F], F]:
    """Run the method when the bot is told exactly what `pattern` describes, from first to last character.

    Named groups become arguments.  `help`, or else the first line of the docstring, is shown by the help command:
    `deploy APP -- ship APP to production`.  With `groups`, only members of one of them may run it; with `confirm` it is run only
    after a yes, see `docs/dialogs.md`.  How it is run is
    said by the fields of `Policy`: `retry`, `timeout`, `age`, `order`, `concurrency`; where, before which others and how often by
    `rooms`, `priority`, `stop`, `rate`, `rate_by` and `bots`, see `docs/routing.md`.  `extensions` is for middleware, which finds it in
    `ctx.extensions`.

    Raises:
        HandlerError: the pattern or the method cannot be used; says which and why.
    """
    refuse_bare("command", pattern)

    def declare(function: F) -> F:
        regex = _compile("command", pattern, function)
        usage = read_usage(help or inspect.getdoc(function) or "", describe_pattern(pattern))
        try:
            allowed, consent = read_groups(groups), read_confirm(confirm)
        except (TypeError, ValueError) as error:
            raise HandlerError(
                f"@command on {name_method('command', function)}: {error}"
            ) from error
        constraints, how = _read_options("command", function, options, age)
        return record(
            function,
            ChatDeclaration(
                regex,
                addressed=True,
                usage=usage,
                groups=allowed,
                policy=how,
                constraints=constraints,
                confirm=consent,
                extensions=dict(extensions or {}),
            ),
        )

    return declare


def hear(
    pattern: str,
    *,
    age: float | None = COMMAND_AGE,
    extensions: Mapping[str, Any] | None = None,
    **options: Any,
) -> Callable[[F], F]:
    """Run the method when `pattern` is found anywhere in what anybody says, to the bot or not; see `command`.

    Raises:
        HandlerError: the pattern or the method cannot be used; says which and why.
    """
    refuse_bare("hear", pattern)

    def declare(function: F) -> F:
        regex = _compile("hear", pattern, function)
        constraints, how = _read_options("hear", function, options, age)
        usage = Usage(pattern)
        return record(
            function,
            ChatDeclaration(
                regex,
                addressed=False,
                usage=usage,
                policy=how,
                constraints=constraints,
                extensions=dict(extensions or {}),
            ),
        )

    return declare


def every(
    when: str | float, *, tz: str = "UTC", missed: Missed = "latest", **policy: Any
) -> Callable[[F], F]:
    """Run the method again and again, each time on one node of the cluster; see `command`.

    Args:
        when: Seconds, a duration (`5m`), a friendly form (`weekdays 09:00`), or the five fields of a cron line.
        tz: The time zone of the wall clock: `Europe/Berlin`.
        missed: Which of the times are made up for at which no node was there: none (`skip`), the `latest`, or `all`.
        policy: How it is run.

    Raises:
        HandlerError: the schedule or the method cannot be used; says which and why.
    """
    refuse_bare("every", when)

    def declare(function: F) -> F:
        where = f"@every on {name_method('every', function)}"
        try:
            schedule = parse_schedule(when, tz, missed)
        except HandlerError as error:
            raise HandlerError(f"{where}: {error}") from error
        how = read_policy("every", function, policy, None)
        return record(function, JobDeclaration(schedule, how))

    return declare


@overload
def job(function: F) -> F: ...
@overload
def job(**policy: Any) -> Callable[[F], F]: ...
def job(function: F | None = None, **policy: Any) -> F | Callable[[F], F]:
    """Let `ctx.after` run the method: `@job`, or `@job(retry="never")` with options as `command` has them.

    Raises:
        HandlerError: the method or an option cannot be used; says which and why.
    """

    def declare(function: F) -> F:
        return record(function, JobDeclaration(policy=read_policy("job", function, policy, None)))

    return declare if function is None else declare(function)


def refuse_bare(decorator: str, given: object) -> None:
    """Refuse a decorator that was written without its parentheses, and so was given the method.

    Raises:
        HandlerError: it was.
    """
    if inspect.isfunction(given):
        raise HandlerError(f"@{decorator} on {given.__qualname__}: write @{decorator}(...)")


def name_method(decorator: str, function: object) -> str:
    """Return the class and method a decorator stands on, and refuse what is no method."""
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise HandlerError(
            f"@{decorator} on {function.__qualname__}: a handler must not yield; call ctx.reply instead"
        )
    if not inspect.isfunction(function):
        raise HandlerError(
            f"@{decorator} on {function!r}: put it directly on a method, below any other decorator"
        )
    return function.__qualname__


def _compile(decorator: str, pattern: object, function: object) -> Pattern:
    where = f"@{decorator} on {name_method(decorator, function)}"
    if not isinstance(pattern, str):
        raise HandlerError(
            f"{where}: the pattern must be text, not {pattern!r}; write @{decorator}(r'...')"
        )
    try:
        regex = Pattern(pattern, whole=decorator == "command")
        matches_nothing = regex.find("")
    except (re.error, OverflowError, RecursionError, TooSlow) as error:
        raise HandlerError(f"{where}: {pattern!r} is no regular expression: {error}") from error
    if matches_nothing:
        raise HandlerError(
            f"{where}: {pattern!r} matches an empty text; make it ask for at least one character"
        )
    return regex


def _read_options(
    decorator: str, function: object, options: dict[str, Any], age: float | None
) -> tuple[Constraints, Policy]:
    rest = dict(options)
    constraints = read_constraints(f"@{decorator} on {name_method(decorator, function)}", rest)
    return constraints, read_policy(decorator, function, rest, age, also=NAMES)


def read_policy(
    decorator: str,
    function: object,
    fields: dict[str, Any],
    age: float | None,
    *,
    also: Iterable[str] = (),
) -> Policy:
    """Return the policy that a decorator's options are; `also` are those that it knows beside."""
    where = f"@{decorator} on {name_method(decorator, function)}"
    known = ("retry", "timeout", "order", "concurrency", "run")
    for name in fields:
        if name not in known:
            raise HandlerError(
                f"{where}: unknown option {name!r}; known are {', '.join((*known, *also))}"
            )
    try:
        policy = Policy(age=age, **fields).check(where)
    except TypeError as error:
        raise HandlerError(f"{where}: {error}") from error
    if policy.run == "process" and inspect.iscoroutinefunction(function):
        raise HandlerError(f'{where}: run="process" is for methods that are not async')
    return policy


def record(function: F, declaration: Declaration) -> F:
    """Note that `function` is declared as this, too, and return it."""
    declared: tuple[Declaration, ...] = getattr(function, DECLARED, ())
    setattr(function, DECLARED, (*declared, declaration))
    return function
