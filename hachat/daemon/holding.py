"""Keeps the file of `lease_file` true while a node lives."""

from __future__ import annotations

from pathlib import Path

import structlog

from hachat.core.settings import Settings
from hachat.daemon.lease_file import introduce, write

log = structlog.get_logger(__name__)


class Holder:
    """Notes what this process holds in the file at `path`; without one it does nothing.

    A file that cannot be written only costs time should the process die: a warning, and the node goes on.
    """

    def __init__(self, path: Path | None, settings: Settings, boot: str) -> None:
        self._path = path
        self._settings = settings
        self._boot = boot

    def note(self, token: str) -> None:
        """Note that this process lives and holds the lease `token`, or, with an empty text, none."""
        if self._path is not None:
            try:
                write(self._path, introduce(self._settings, self._boot)._replace(token=token))
            except OSError as error:
                self._warn(error)

    def remove(self) -> None:
        """Remove the file: this process has given everything back."""
        if self._path is not None:
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                self._warn(error)

    def _warn(self, error: OSError) -> None:
        log.warning(
            "cannot note what this process holds; if it dies its lease has to run out",
            file=str(self._path),
            error=str(error),
        )
