"""Certificates for servers that tests run."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_certificate(key: Path, certificate: Path) -> None:
    """Write a new key and a self-signed certificate of `localhost` and 127.0.0.1."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
