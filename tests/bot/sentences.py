"""Finds every sentence of hachat's own that can be said in another language."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import hachat
from hachat.bot import handlers
from hachat.bot.declarations import DECLARED
from hachat.bot.handler import Handler

ROOT = Path(hachat.__file__).parent

FORMS = {
    **dict.fromkeys(("say", "translate", "Phrase", "gettext_noop"), 1),
    **dict.fromkeys(("count", "translate_count"), 2),
}
"""The functions that are given sentences, and how many forms each of them takes."""

Sentence: TypeAlias = str | tuple[str, ...]
"""What a translator finds it by: an English sentence, or its forms for one and for other numbers."""


def find_sentences() -> set[Sentence]:
    """Return those that stand in the code, and what the built-in handlers say about themselves in the help."""
    return {*_find_spoken(), *_find_lines(), *_find_purposes()}


def list_builtins() -> list[type[Handler]]:
    """Return the classes of the built-in handlers."""
    names = [module.name for module in pkgutil.iter_modules(handlers.__path__)]
    modules = [import_module(f"{handlers.__name__}.{name}") for name in names]
    return [
        cls
        for module in modules
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, Handler) and cls.__module__ == module.__name__
    ]


def _find_spoken() -> Iterator[Sentence]:
    """Yield what stands in calls of `FORMS`; a syntax tree has those within f-strings too, on every Python."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (count := FORMS.get(_name(node.func))):
                texts = [each.value for each in node.args[:count] if isinstance(each, ast.Constant)]
                forms = tuple(text for text in texts if isinstance(text, str))
                if len(forms) == count:
                    yield forms if count > 1 else forms[0]


def _name(function: ast.expr) -> str:
    return getattr(function, "attr", "") or getattr(function, "id", "")


def _find_lines() -> Iterator[str]:
    for cls in list_builtins():
        for method in vars(cls).values():
            for declared in getattr(method, DECLARED, ()):
                yield declared.usage.source


def _find_purposes() -> Iterator[str]:
    for cls in list_builtins():
        yield (cls.__doc__ or "").partition("\n")[0]
