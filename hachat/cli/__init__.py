"""The `hachat` command."""

from __future__ import annotations

from hachat.cli.main import main

__all__ = ["main"]
