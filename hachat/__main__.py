"""`python -m hachat` is the `hachat` command."""

from hachat.cli import main

main()
