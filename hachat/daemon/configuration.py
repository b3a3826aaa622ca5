"""Where settings come from: a TOML file, the environment over it, and files that hold secrets.

`core.settings` says what they mean; this module does the reading.
"""

from __future__ import annotations

import errno
import socket
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from hachat.core.errors import SettingsError
from hachat.core.redaction import is_secret
from hachat.core.sections import ENVIRONMENT, EnvironmentText, join
from hachat.core.settings import Settings, build

FILE = "HACHAT_CONFIG"
"""The environment variable that names the settings file."""

PLACES = (Path("hachat.toml"), Path("/etc/hachat/hachat.toml"))
"""Where a settings file is looked for when nothing names one."""

CREDENTIAL = "credential:"
"""How the name of a systemd credential begins, where a secret's file is expected."""

RELOADABLE = frozenset(
    {
        "access.admins",
        "access.groups",
        "access.rules",
        "bot.aliases",
        "bot.unknown",
        "log.level",
        "queue.dead",
        "queue.depth",
        "queue.mailbox",
        "queue.outbox",
        "worker.timeout",
    }
)
"""The settings that a running daemon takes over from a changed file; the others need a restart."""


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings of this node.

    Args:
        path: The settings file; without one it is looked for, see `find`.
        environ: The environment; its `HACHAT__SECTION__KEY` override the file.

    Raises:
        SettingsError: with every fault there is.
    """
    file = path or find(environ)
    data = _parse(file)
    data.setdefault("node", socket.gethostname().partition(".")[0])
    _override(data, environ)
    return build(data, origin=str(file), read_secret=partial(_read_secret, file.parent, environ))


def find(environ: Mapping[str, str]) -> Path:
    """Return the settings file that `HACHAT_CONFIG` names, else the first that exists in `PLACES`.

    Raises:
        SettingsError: there is none.
    """
    if named := environ.get(FILE):
        return Path(named)
    for place in PLACES:
        if _is_there(place):
            return place
    looked = " and ".join(map(str, PLACES))
    raise SettingsError(
        [f"no settings file: ${FILE} is not set, and {looked} are missing; write one"]
    )


def changes(old: Settings, new: Settings) -> tuple[list[str], list[str]]:
    """Return the dotted names of what differs: what may change at once, and what needs a restart."""
    before, after = (dict(_flatten(to_builtins(each, enc_hook=str))) for each in (old, new))
    missing = object()
    differing = [
        path
        for path in sorted(before.keys() | after.keys())
        if before.get(path, missing) != after.get(path, missing)
    ]
    return (
        [path for path in differing if _is_reloadable(path)],
        [path for path in differing if not _is_reloadable(path)],
    )


def _is_reloadable(path: str) -> bool:
    return path in RELOADABLE or path.rpartition(".")[0] in RELOADABLE  # a group of access.groups


def _is_there(place: Path) -> bool:
    try:
        return place.exists()
    except PermissionError:
        return True  # Reading it will say so.


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        fault = (
            f"cannot read the settings file: {error.strerror}; mend that or name another in ${FILE}"
        )
    except UnicodeDecodeError as error:
        fault = f"not UTF-8 at byte {error.start}; settings are TOML, which is always UTF-8"
    except ValueError as error:
        fault = f"not TOML: {error}"
    raise SettingsError([fault], str(file))


def _override(data: dict[str, Any], environ: Mapping[str, str]) -> None:
    for name in sorted(environ):
        if name.startswith(ENVIRONMENT):
            *sections, key = name.removeprefix(ENVIRONMENT).lower().split("__")
            _set(data, sections, key, EnvironmentText(environ[name]))


def _set(table: Any, sections: list[str], key: str, text: EnvironmentText) -> None:
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            return  # What stands in its place is a fault already.
    # A secret and its file exclude each other, so either from the environment replaces both.
    secret = key.removesuffix("_file")
    for other in (secret, f"{secret}_file") if is_secret(secret) else ():
        if not isinstance(table.get(other), EnvironmentText):
            table.pop(other, None)
    table[key] = text


def _read_secret(folder: Path, environ: Mapping[str, str], reference: str) -> str:
    secret = _locate(folder, environ, reference).read_text(encoding="utf-8").strip()
    if not secret:
        raise ValueError("the file is empty")
    return secret


def _locate(folder: Path, environ: Mapping[str, str], reference: str) -> Path:
    if not reference.startswith(CREDENTIAL):
        return folder / reference
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    if not credentials:
        raise OSError(
            errno.ENOENT, "systemd passed no credentials; LoadCredential= in the unit does"
        )
    return Path(credentials) / reference.removeprefix(CREDENTIAL)


def _flatten(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        return [(path, value)]
    return [leaf for key, inner in value.items() for leaf in _flatten(inner, join(path, str(key)))]
