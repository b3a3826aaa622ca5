"""Templates of handlers: Jinja, from a folder beside the module that defines the handler.

`render("deploy", adapter="irc")` takes `deploy.irc.j2` if there is one, else `deploy.md.j2`, whose text is markdown, or `deploy.j2`.  What is put into a template is text and
is not run: it cannot reach into Python (Jinja's sandbox), and a name that is missing is an error.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hachat.core.errors import HandlerError
from hachat.core.markdown import Markdown

FOLDER = "templates"
"""The folder beside a handler's module."""

Filters = Mapping[str, Callable[..., Any]]
"""Functions that templates call as filters, by their names."""


class Templates:
    """The templates of one handler; the functions in `filters` can be used in them.

    Raises:
        HandlerError: a template cannot be read; says where.
    """

    def __init__(self, handler: type, filters: Filters | None = None) -> None:
        self._folder = Path(inspect.getfile(handler)).parent / FOLDER
        self._environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FileSystemLoader(self._folder),
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(filters or {})

    def render(self, name: str, values: Mapping[str, Any], *, adapter: str = "") -> str:
        """Return what the template `name` makes of `values`, in its form for `adapter` if there is one.

        Raises:
            HandlerError: there is no such template, or it fails on these values; says where.
        """
        names = [f"{name}.{adapter}.j2"] if adapter else []
        try:
            found = self._environment.select_template([*names, f"{name}.md.j2", f"{name}.j2"])
            text = found.render(values).rstrip()
        except jinja2.TemplatesNotFound as error:
            raise HandlerError(
                f"there is no template {name}.j2 in {self._folder}; make one"
            ) from error
        except jinja2.TemplateError as error:
            where = f"{name}.j2 in {self._folder}"
            line = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
            raise HandlerError(f"the template {where}{line}: {error.message}") from error
        return Markdown(text) if (found.name or "").endswith(".md.j2") else text


@cache
def templates_of(handler: type) -> Templates:
    """Return the templates of a class of handlers, the same ones each time."""
    return Templates(handler, getattr(handler, "filters", None))
