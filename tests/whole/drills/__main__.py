"""`make drills`, by hand: `python -m tests.whole.drills [NAME...]` plays drills and says what came of them."""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import trio

from hachat.core.settings import LogSettings
from hachat.daemon.logging import configure
from tests.whole.drills.cases import DRILLS
from tests.whole.drills.drill import Verdict, find_lack, play_all
from tests.whole.drills.entry import choose_ground, enter
from tests.whole.drills.ground import Namespaces


def main() -> None:
    """Play the drills named, all if none is, one after the other on one lab."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(DRILLS)}")
    parser.add_argument("--folder", type=Path, help="where the logs and histories are left")
    chosen = parser.parse_args()
    enter("tests.whole.drills")
    configure(LogSettings(level="error"), "drills")
    ground = choose_ground()
    asked = [DRILLS[name] for name in chosen.names or DRILLS]
    lacking = {
        drill.name: find_lack(drill, cables=isinstance(ground, Namespaces)) for drill in asked
    }
    drills = [drill for drill in asked if not lacking[drill.name]]
    for name, why in lacking.items():
        if why:
            print(f"left out {name}: {why}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        verdicts = trio.run(partial(play_all, chosen.folder or Path(folder), ground, drills, _tell))
    raise SystemExit(any(verdict.faults for verdict in verdicts) or len(verdicts) < len(drills))


def _tell(verdict: Verdict) -> None:
    print(verdict.report, flush=True)


if __name__ == "__main__":
    main()
