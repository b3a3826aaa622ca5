"""Templates beside a handler."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from hachat.bot.templates import templates_of
from hachat.core.errors import HandlerError

_SOURCE = """
from hachat import Handler

class Deploys(Handler):
    filters = {"loud": str.upper}
"""


@pytest.fixture
def handler(tmp_path: Path) -> type:
    """A handler in a module of its own, with templates beside it."""
    (tmp_path / "deploys.py").write_text(_SOURCE)
    (tmp_path / "templates").mkdir()
    spec = spec_from_file_location("template_deploys", tmp_path / "deploys.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    cls: type = module.Deploys
    return cls


def write(handler: type, name: str, text: str) -> None:
    """Write a template."""
    (Path(sys.modules[handler.__module__].__file__ or "").parent / "templates" / name).write_text(
        text
    )


def test_a_template_is_text_with_values(handler: type) -> None:
    """With loops and filters, those of the handler too; the line break at its end is not said."""
    write(handler, "live.j2", "{% for app in apps %}\n* {{ app | loud }}\n{% endfor %}\n")
    assert templates_of(handler).render("live", {"apps": ["web", "db"]}) == "* WEB\n* DB"


def test_a_service_may_have_a_form_of_its_own(handler: type) -> None:
    """The others have the common one."""
    write(handler, "live.j2", "{{ app }} is live")
    write(handler, "live.irc.j2", "\x02{{ app }}\x02 is live")
    found = templates_of(handler)
    assert found.render("live", {"app": "web"}, adapter="irc") == "\x02web\x02 is live"
    assert found.render("live", {"app": "web"}, adapter="console") == "web is live"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ oops }}", "'oops' is undefined"),
        ("line\n{% if %}", "line 2"),
        ("{{ app.__class__.__mro__ }}", "unsafe"),
        ("{{ apps.append(1) }}", "unsafe"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, fault: str, handler: type) -> None:
    """Names that are missing, mistakes, and whatever would reach into Python."""
    write(handler, "bad.j2", text)
    with pytest.raises(HandlerError, match=fault) as caught:
        templates_of(handler).render("bad", {"app": "web", "apps": []})
    assert "bad.j2" in str(caught.value)


def test_a_template_that_is_missing_is_named(handler: type) -> None:
    """With the folder where it should be."""
    with pytest.raises(HandlerError, match=r"no template nothing\.j2 in .*templates; make one"):
        templates_of(handler).render("nothing", {})


def test_values_are_not_templates(handler: type) -> None:
    """What users say is said as it is."""
    write(handler, "echo.j2", "{{ said }}")
    assert templates_of(handler).render("echo", {"said": "{{ 7 * 7 }}"}) == "{{ 7 * 7 }}"
