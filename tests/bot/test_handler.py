"""What a decorator refuses, and what it keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hachat import Handler, command, every, hear, hook, job, on
from hachat.bot.binding import bind
from hachat.bot.consent import Confirm, read_groups
from hachat.bot.declarations import DECLARED, ChatDeclaration
from hachat.bot.description import Usage
from hachat.bot.policy import PLAIN, Policy
from hachat.core.errors import HandlerError


async def deploy(handler: Handler, ctx: Any) -> None:
    """deploy APP -- ship APP to production

    Takes its time.
    """


def usage_of(decorate: Callable[[Any], Any]) -> Usage:
    """Return the usage that a decorator would give to `deploy`."""

    async def copy() -> None: ...

    copy.__doc__ = deploy.__doc__
    declared = getattr(decorate(copy), DECLARED)
    assert isinstance(declared[0], ChatDeclaration)
    return declared[0].usage


@pytest.mark.parametrize("decorator", [command, hear])
@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "no regular expression: missing"),
        (None, "must be text, not None"),
        (b"ping", "must be text"),
        ("", "matches an empty text"),
        ("a*", "matches an empty text"),
        (".*", "matches an empty text"),
    ],
)
def test_bad_patterns(decorator: Any, pattern: Any, reason: str) -> None:
    """A pattern that cannot work is refused where it is written, by the method's name."""
    with pytest.raises(HandlerError, match=rf"@{decorator.__name__} on deploy: .*{reason}"):
        decorator(pattern)(deploy)


@pytest.mark.parametrize(
    "path", ["", "deployed", "/", "/a//b", "/a b", "/<app", "/<int:n>", "/a/", None]
)
def test_bad_paths(path: Any) -> None:
    """A path that no request could have is refused."""
    with pytest.raises(HandlerError, match=r"on deploy: .* is no path; write one like"):
        hook.post(path)(deploy)


def test_variable_twice() -> None:
    """A path cannot capture two values under one name."""
    with pytest.raises(HandlerError, match="names a variable twice"):
        hook.put("/<app>/<app>")(deploy)


@pytest.mark.parametrize("decorator", [command("x"), hear("x"), hook.get("/x")])
def test_only_methods(decorator: Any) -> None:
    """What is no plain function is refused: no property, no class, no generator."""

    async def replies() -> Any:
        yield "pong"

    things: list[Any] = [staticmethod(deploy), property(lambda _: None), Handler, 3]
    for thing in things:
        with pytest.raises(HandlerError, match="put it directly on a method"):
            decorator(thing)
    with pytest.raises(HandlerError, match="must not yield"):
        decorator(replies)


@pytest.mark.parametrize("decorator", [command, hear, every, on, hook.post])
def test_a_decorator_needs_its_parentheses(decorator: Any) -> None:
    """Without them it is given the method, and would declare nothing."""
    with pytest.raises(HandlerError, match=r"on deploy: write @\S+\(\.\.\.\)"):
        decorator(deploy)


def test_bare_group() -> None:
    """One group as a bare text would mean its letters."""
    with pytest.raises(HandlerError, match=r"groups=\{'ops'\}"):
        command("x", groups="ops")(deploy)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"groups": [1]}, "1 cannot be the name of a group"),
        ({"groups": ["on call"]}, "'on call' cannot be the name of a group"),
        ({"confirm": "sure?"}, "confirm='sure\\?'; write True, or Confirm"),
    ],
)
def test_what_nobody_could_have_is_refused(options: Any, complaint: str) -> None:
    """Else it would fail each user."""
    with pytest.raises(HandlerError, match=complaint):
        command("x", **options)(deploy)


def test_the_case_of_a_group_does_not_matter() -> None:
    """Settings and chat have none either."""
    assert read_groups(["Ops", "on-call"]) == {"ops", "on-call"}


def test_a_consent_that_could_not_be_waited_for_is_refused() -> None:
    """Where it is written, and not when somebody is to be asked."""
    with pytest.raises(ValueError, match="soon"):
        Confirm(within="soon")


@pytest.mark.parametrize(
    ("when", "options", "complaint"),
    [
        ("often", {}, "'often' is no schedule; write seconds"),
        (0.1, {}, "shortest period"),
        ("daily 09:00", {"tz": "Berlin"}, "tz='Berlin' is no time zone"),
        ("5m", {"missed": "some"}, "'skip', 'latest' or 'all'"),
    ],
)
def test_impossible_schedules(when: Any, options: Any, complaint: str) -> None:
    """A schedule that cannot be meant is told with the method it stands on."""
    with pytest.raises(HandlerError, match=r"@every on deploy: ") as caught:
        every(when, **options)(deploy)
    assert complaint in str(caught.value)


def test_how_jobs_are_run() -> None:
    """Schedules and jobs take the options of other routes, and refuse what is none."""

    class Ring(Handler):
        @every("5m", timeout=3.0)
        async def one(self, ctx: Any) -> None: ...

        @job(retry="never")
        async def two(self, ctx: Any) -> None: ...

        @job
        async def three(self, ctx: Any) -> None: ...

    policies = [route.policy for route in bind(Ring())]
    assert policies == [Policy(timeout=3.0), Policy(retry="never"), PLAIN]
    with pytest.raises(HandlerError, match="unknown option 'retries'"):
        every("5m", retries=3)(deploy)
    with pytest.raises(HandlerError, match='write "backoff" or "never"'):
        job(retry="once")(deploy)


def test_jobs_stand_on_methods() -> None:
    """What is no method is refused, as for other decorators."""
    for decorate in (job, every("5m")):
        with pytest.raises(HandlerError, match="put it directly on a method"):
            decorate(staticmethod(deploy))


def test_usage() -> None:
    """The docstring's first line is the help; `help` overrides it; without dashes the pattern is the usage."""
    line = r"deploy (?P<app>\S+)"
    assert usage_of(command(line)) == Usage("deploy APP", "ship APP to production")
    assert usage_of(command(line, help="deploy A -- go")) == Usage("deploy A", "go")
    assert usage_of(command(line, help="Ship it.")) == Usage("deploy APP", "Ship it")


def test_name() -> None:
    """A handler is named after its class unless the class sets a name."""

    class OnCall(Handler):
        pass

    class Other(OnCall):
        name = "duty"

    class Third(Other):
        pass

    assert (OnCall.name, Other.name, Third.name) == ("on_call", "duty", "third")
