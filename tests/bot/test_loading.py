"""Handlers are found, made, and told apart from those that cannot be."""

from __future__ import annotations

import importlib.metadata
import textwrap
from pathlib import Path

import pytest

from hachat.bot.handlers.ping import Ping
from hachat.bot.loading import Plugins, find_installed, load
from hachat.core.errors import HandlerError

GOOD = """
    from hachat import Handler, command

    class {name}(Handler):
        @command("{word}")
        async def go(self, ctx):
            await ctx.reply("{word}")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which modules can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def write(folder: Path, module: str, source: str) -> None:
    """Write a module."""
    (folder / f"{module}.py").write_text(textwrap.dedent(source))


def good(name: str, word: str = "go") -> str:
    """Return the source of a handler that works."""
    return GOOD.format(name=name, word=word)


def fault(plugins: Plugins) -> str:
    """Return the only fault."""
    (error,) = plugins.faults
    assert isinstance(error, HandlerError)
    return str(error)


def test_by_class_and_by_module(folder: Path) -> None:
    """A name with a class loads that class; a module loads all it defines, and not what it imports."""
    write(folder, "load_a", good("One") + good("Two", "two"))
    write(folder, "load_b", "from load_a import One\n" + textwrap.dedent(good("Three", "three")))
    assert list(load(["load_a:Two"]).handlers) == ["two"]
    assert list(load(["load_b", "load_a", "load_a:One"]).handlers) == ["three", "one", "two"]


def test_from_folder(tmp_path: Path) -> None:
    """Every module of the folder is loaded, but for tests and those with an underscore; no folder is no fault."""
    write(tmp_path, "one", good("One"))
    write(tmp_path, "two", good("Two"))
    write(tmp_path, "_helper", "raise RuntimeError")
    write(tmp_path, "test_one", "raise RuntimeError")
    plugins = load([], folder=tmp_path)
    assert list(plugins.handlers) == ["one", "two"]
    assert [route.name for route in plugins.routes] == ["one.go", "two.go"]
    assert load([], folder=tmp_path / "none") == Plugins()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("def (", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("x = 1", "defines no handler; write a class derived from hachat.Handler"),
        ("from hachat import Handler\nclass Idle(Handler): pass", "Idle declares no route"),
        (good("Bad", "("), "bad.py: @command on Bad.go: '(' is no regular expression"),
        (good("Bad", "(?P<x>.)"), "Bad.go: the pattern's group 'x' has no parameter"),
        (good("Bad") + "        name = 5\n", "name = 5; write a text"),
        (
            good("Bad").replace("self, ctx", ""),
            "handlers/bad.py:Bad: ValueError: invalid method signature",
        ),
        (
            good("Bad") + "        def __init__(self): raise OSError('no route')\n",
            "OSError: no route",
        ),
    ],
)
def test_one_bad_handler(tmp_path: Path, source: str, reason: str) -> None:
    """A handler that cannot load is named with its reason, and the others load."""
    write(tmp_path, "bad", source)
    write(tmp_path, "fine", good("Fine"))
    plugins = load([], folder=tmp_path)
    assert reason in fault(plugins)
    assert list(plugins.handlers) == ["fine"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere:X", "nowhere:X: ModuleNotFoundError"),
        ("load_c:Onne", "load_c:Onne: 'Onne' is no handler class; the module defines One"),
        ("", "handlers: '' names no module; write module:Class"),
        ("load_c:", ""),
    ],
)
def test_bad_names(folder: Path, name: str, reason: str) -> None:
    """A name that leads nowhere is a fault that says how far it led."""
    write(folder, "load_c", good("One"))
    plugins = load([name])
    assert [error for error in plugins.faults if reason not in str(error)] == []
    assert bool(plugins.faults) is bool(reason)


def test_namesakes(folder: Path) -> None:
    """Two handlers of one name would share ids and settings: the second is refused, with both named."""
    write(folder, "load_d", good("Same"))
    write(folder, "load_e", good("Same"))
    plugins = load(["load_d", "load_e"])
    assert fault(plugins).startswith(
        "load_e:Same and load_d:Same are both named 'same'; set another"
    )
    assert len(plugins.routes) == 1


def test_paths_taken_twice(folder: Path) -> None:
    """Two hooks cannot share a method and a path, whatever its variables are called."""
    hook = """
        from hachat import Handler, hook
        class {name}(Handler):
            @hook.post("/x/<{variable}>")
            async def go(self, ctx, {variable}): ...
    """
    write(
        folder,
        "load_f",
        hook.format(name="One", variable="a") + hook.format(name="Two", variable="b"),
    )
    assert fault(load(["load_f"])) == "two.go: one.go already has POST /x/<b>; choose another path"


def test_builtins_make_way(folder: Path) -> None:
    """A handler with the name of a built-in one takes its place."""
    write(folder, "load_g", good("Ping"))
    assert [r.name for r in load([], builtins=[Ping()]).routes] == ["ping.ping"]
    plugins = load(["load_g"], builtins=[Ping()])
    assert not plugins.faults
    assert [route.name for route in plugins.routes] == ["ping.go"]


SETTINGS = """
    import msgspec
    from hachat import Handler, command

    class Town(msgspec.Struct):
        city: str
        days: int = 3

    class Weather(Handler):
        Settings = Town

        def __init__(self, settings):
            self.settings = settings

        @command("weather")
        async def weather(self, ctx): ...
"""


def test_settings(folder: Path) -> None:
    """A handler is made with its section, decoded."""
    write(folder, "load_h", SETTINGS)
    plugins = load(["load_h"], sections={"weather": {"city": "Graz"}})
    assert not plugins.faults
    settings = vars(plugins.handlers["weather"])["settings"]
    assert (settings.city, settings.days) == ("Graz", 3)


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({}, "[handler.weather]: Object missing required field `city`"),
        ({"city": 3}, "[handler.weather]: Expected `str`, got `int` - at `$.city`"),
        ({"citty": "Graz"}, "[handler.weather]: unknown setting 'citty'; did you mean 'city'?"),
    ],
)
def test_bad_settings(folder: Path, section: dict[str, object], reason: str) -> None:
    """A section that does not fit is said to, with the nearest name for an unknown one."""
    write(folder, "load_i", SETTINGS)
    assert fault(load(["load_i"], sections={"weather": section})) == reason


def test_settings_for_nobody(folder: Path) -> None:
    """A section that nobody reads is a mistake: of a handler without settings, or of none that is loaded."""
    write(folder, "load_j", good("One"))
    plugins = load(["load_j"], sections={"one": {"x": 1}})
    assert fault(plugins) == "[handler.one]: unknown setting 'x'; remove it"
    plugins = load(["load_j"], sections={"onne": {}})
    assert fault(plugins) == "[handler.onne]: no such handler takes settings; did you mean 'one'?"


def test_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed packages offer handlers as entry points."""
    entry = importlib.metadata.EntryPoint("deploys", "deploys.chat:Deploy", "hachat.handlers")
    monkeypatch.setattr(
        "hachat.bot.loading.entry_points", lambda group: [entry] if group == entry.group else []
    )
    assert find_installed() == ("deploys.chat:Deploy",)
