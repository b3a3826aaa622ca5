"""`python -m tests.whole.mutated RULE run ...`: the daemon, without one rule of the queues' scripts."""

from __future__ import annotations

import sys
from hashlib import sha1

from hachat.store import scripts
from hachat.store.scripts import Script, load
from tests.store.mutations import MUTATIONS


def main() -> None:
    """Take the rule away and run the rest of the command line."""
    mutation = MUTATIONS[sys.argv.pop(1)]

    def load_mutated(name: str) -> Script:
        script = load(name)
        if name != mutation.script:
            return script
        text = mutation.apply(script.text)
        return Script(name, text, sha1(text.encode(), usedforsecurity=False).hexdigest())

    scripts.load = load_mutated  # before any module that loads its scripts is imported
    from hachat.cli import main as run

    run()


if __name__ == "__main__":
    main()
