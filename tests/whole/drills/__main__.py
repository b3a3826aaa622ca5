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
from tests.whole.drills.drill import Verdict, play_all
from tests.whole.drills.entry import choose_ground, enter


def main() -> None:
    """Play the drills named, all if none is, one after the other on one lab."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(DRILLS)}")
    parser.add_argument("--folder", type=Path, help="where the logs and histories are left")
    chosen = parser.parse_args()
    enter("tests.whole.drills")
    configure(LogSettings(level="error"), "drills")
    drills = [DRILLS[name] for name in chosen.names or DRILLS]
    with tempfile.TemporaryDirectory() as folder:
        verdicts = trio.run(
            partial(play_all, chosen.folder or Path(folder), choose_ground(), drills, _tell)
        )
    raise SystemExit(any(verdict.faults for verdict in verdicts) or len(verdicts) < len(drills))


def _tell(verdict: Verdict) -> None:
    print(verdict.report, flush=True)


if __name__ == "__main__":
    main()
