"""Servers that the machine may have, besides the embedded one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def find_redis() -> Path:
    """Return Debian's redis-server; where it is absent, skip the test on a laptop and fail it in CI."""
    found = shutil.which("redis-server")
    if found:
        return Path(found)
    if os.environ.get("CI"):
        pytest.fail("redis-server is not installed")
    pytest.skip("redis-server is not installed")
