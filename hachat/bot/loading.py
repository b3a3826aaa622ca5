"""Finds handlers and makes them: by name, from a folder, and those that come with hachat.

A handler that cannot be imported, is declared wrongly or dislikes its settings is named in `faults`; the rest load.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import msgspec

from hachat.bot.binding import bind
from hachat.bot.handler import Handler
from hachat.bot.routes import HookRoute, Route
from hachat.core.errors import HandlerError

T = TypeVar("T")

Sections = Mapping[str, Mapping[str, Any]]
"""What the settings say to each handler, by its name."""


@dataclass
class Plugins:
    """What was loaded, and one error for each thing that was not; its cause has the trace."""

    handlers: dict[str, Handler] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    faults: list[HandlerError] = field(default_factory=list)

    def add(self, make: Callable[[], Handler]) -> None:
        """Make a handler and take in its routes, or note why not."""
        try:
            handler = make()
            routes = _attempt(_describe(type(handler)), partial(bind, handler))
            self._refuse_namesake(handler)
            self._refuse_taken_paths(routes)
        except HandlerError as error:
            self.faults.append(error)
        else:
            self.handlers[handler.name] = handler
            self.routes += routes

    def _refuse_namesake(self, handler: Handler) -> None:
        if other := self.handlers.get(handler.name):
            raise HandlerError(
                f"{_describe(type(handler))} and {_describe(type(other))} are both named "
                f"{handler.name!r}; set another name in one of the classes"
            )

    def _refuse_taken_paths(self, routes: Iterable[Route]) -> None:
        taken: dict[tuple[str, str], str] = {}
        for hook in (route for route in [*self.routes, *routes] if isinstance(route, HookRoute)):
            shape = re.sub(r"<\w+>", "<>", hook.path)
            first = taken.setdefault((hook.method, shape), hook.name)
            if first != hook.name:
                raise HandlerError(
                    f"{hook.name}: {first} already has {hook.method} {hook.path}; choose another path"
                )


_IN_FOLDER = "hachat_handlers_"


def find_installed() -> tuple[str, ...]:
    """Return the handlers that installed packages offer as entry points of the group `hachat.handlers`."""
    return tuple(entry.value for entry in entry_points(group="hachat.handlers"))


def load(
    names: Iterable[str],
    *,
    folder: Path | None = None,
    sections: Sections | None = None,
    builtins: Sequence[Handler] = (),
) -> Plugins:
    """Load the handlers in `names` (`module:Class`, or a module for all it defines) and every module in `folder`.

    Modules there that hold tests, or begin with an underscore, are left out.  A built-in whose name one of them has taken is left out, too.  Raises nothing: see `Plugins.faults`.
    """
    plugins = Plugins()
    sources = [partial(_find_named, name) for name in names]
    sources += [partial(_find_in_file, path) for path in _list_files(folder)]
    classes = list(dict.fromkeys(_collect(sources, plugins.faults)))
    for cls in classes:
        plugins.add(partial(make, cls, sections or {}))
    for builtin in builtins:
        if builtin.name not in plugins.handlers:
            plugins.add(partial(_keep, builtin))
    plugins.faults += _find_idle(sections or {}, [str(cls.name) for cls in classes])
    return plugins


def _collect(
    sources: Iterable[Callable[[], list[type[Handler]]]], faults: list[HandlerError]
) -> Iterator[type[Handler]]:
    for find in sources:
        try:
            yield from find()
        except HandlerError as error:
            faults.append(error)


def _find_named(name: str) -> list[type[Handler]]:
    module_name, _, class_name = name.partition(":")
    if not module_name:
        raise HandlerError(f"handlers: {name!r} names no module; write module:Class")
    module = _attempt(name, partial(import_module, module_name))
    if not class_name:
        return _find_in_module(module, name)
    cls = getattr(module, class_name, None)
    if isinstance(cls, type) and issubclass(cls, Handler):
        return [cls]
    defined = ", ".join(cls.__name__ for cls in _iterate_classes(module)) or "none"
    raise HandlerError(f"{name}: {class_name!r} is no handler class; the module defines {defined}")


def _find_in_file(path: Path) -> list[type[Handler]]:
    module = _import_file(f"{_IN_FOLDER}{path.stem}", path)
    return _find_in_module(module, str(path))


def _import_file(name: str, path: Path) -> ModuleType:
    spec = spec_from_file_location(name, path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = sys.modules[name] = module_from_spec(spec)
    _attempt(str(path), partial(spec.loader.exec_module, module))
    return module


def _find_in_module(module: ModuleType, origin: str) -> list[type[Handler]]:
    if classes := list(_iterate_classes(module)):
        return classes
    raise HandlerError(f"{origin}: defines no handler; write a class derived from hachat.Handler")


def _iterate_classes(module: ModuleType) -> Iterator[type[Handler]]:
    for name, value in vars(module).items():
        own = isinstance(value, type) and value.__module__ == module.__name__
        if own and issubclass(value, Handler) and not name.startswith("_"):
            yield value


def _list_files(folder: Path | None) -> list[Path]:
    if folder is None or not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith(("_", "test_")))


def make(cls: type[Handler], sections: Sections) -> Handler:
    """Return a handler made with its section of the settings.

    Raises:
        HandlerError: that is not possible; says why.
    """
    if not isinstance(cls.name, str):
        raise HandlerError(f"{_describe(cls)}: name = {cls.name!r}; write a text, or leave it out")
    construct: Callable[..., Handler] = cls
    section = sections.get(cls.name, {})
    settings = _read_settings(cls, section)
    handler = _attempt(_describe(cls), lambda: construct(*settings))
    handler.section = section
    return handler


def find_origin(module: str) -> str:
    """Return where people find a module of handlers: the file in the folder, or the module itself."""
    file = module.removeprefix(_IN_FOLDER)
    return module if file == module else f"handlers/{file}.py"


def find_class(module: str, name: str, file: str = "") -> type[Handler]:
    """Return a handler class by its names, in whatever process; a module in a folder is found by its `file`.

    Raises:
        HandlerError: there is none; says so.
    """
    if module not in sys.modules and module.startswith(_IN_FOLDER):
        _import_file(module, Path(file))
    found: Any = _attempt(module, partial(import_module, module))
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type) and issubclass(found, Handler):
        return found
    raise HandlerError(f"{module}:{name} cannot be found by its name; define it in a module")


def _keep(handler: Handler) -> Handler:
    return handler


def _read_settings(cls: type[Handler], section: Mapping[str, Any]) -> list[msgspec.Struct]:
    """Return the arguments to make the handler with."""
    known = msgspec.structs.fields(cls.Settings) if cls.Settings else ()
    names = [setting.encode_name for setting in known]
    for name in section:
        if name not in names:
            raise HandlerError(
                f"[handler.{cls.name}]: unknown setting {name!r}{_hint(name, names)}"
            )
    if cls.Settings is None:
        return []
    try:
        return [msgspec.convert(section, cls.Settings)]
    except msgspec.ValidationError as error:
        raise HandlerError(f"[handler.{cls.name}]: {error}") from error


def _find_idle(sections: Sections, names: Sequence[str]) -> Iterator[HandlerError]:
    for name in sections.keys() - set(names):
        yield HandlerError(f"[handler.{name}]: no such handler takes settings{_hint(name, names)}")


def _hint(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else "; remove it"


def _describe(cls: type[Handler]) -> str:
    return f"{find_origin(cls.__module__)}:{cls.__qualname__}"


def _attempt(culprit: str, do: Callable[[], T]) -> T:
    """Run what an author wrote, and name the culprit if it fails."""
    try:
        return do()
    except HandlerError as error:
        raise HandlerError(f"{culprit}: {error}") from error
    except (Exception, SystemExit) as error:
        raise HandlerError(f"{culprit}: {type(error).__name__}: {error}") from error
