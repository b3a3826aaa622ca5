"""Long walks through jobs and through dead letters, whose steps are chosen by dice."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from hachat.store.keys import LANES
from tests.store.walk_jobs import NAMES, SCHEDULES, JobsWalk
from tests.store.walk_jobs import TROUBLED as JOB_KEYS
from tests.store.walk_letters import TROUBLED as LETTER_KEYS
from tests.store.walk_letters import LettersWalk
from tests.store.walk_works import ROOMS, Ending, Works

W = TypeVar("W", bound=Works)

_Steps: TypeAlias = Mapping[str, tuple[float, Callable[[W, random.Random], None]]]
"""What is done how often, and by what."""


def stroll_through_jobs(walk: JobsWalk, dice: random.Random, steps: int) -> None:
    """Do so many steps, and look after each.

    Raises:
        AssertionError: server and model do not agree.
    """
    _stroll(walk, _JOBS, dice, steps)


def stroll_through_letters(walk: LettersWalk, dice: random.Random, steps: int) -> None:
    """Do so many steps, and look after each.

    Raises:
        AssertionError: server and model do not agree.
    """
    _stroll(walk, _LETTERS, dice, steps)


def _stroll(walk: W, steps: _Steps[W], dice: random.Random, count: int) -> None:
    weights = [weight for weight, _ in steps.values()]
    for name in dice.choices(list(steps), weights, k=count):
        steps[name][1](walk, dice)
        walk.look()


def _schedule(walk: JobsWalk, dice: random.Random) -> None:
    walk.schedule(dice.choice(NAMES), soon=dice.random() < 0.7, fresh=dice.random() < 0.5)


def _cancel(walk: JobsWalk, dice: random.Random) -> None:
    walk.cancel(dice.choice([*NAMES, *walk.jobs, *(f"{id_}/again" for id_ in walk.lists.early)]))


def _end_job(walk: JobsWalk, dice: random.Random) -> None:
    ending = Ending(dice.randint(0, 1), again=dice.random() < 0.5, twice=dice.random() < 0.5)
    walk.handle(dice.choice(LANES), ending)


def _end_message(walk: LettersWalk, dice: random.Random) -> None:
    again, give_up, twice = (dice.random() < chance for chance in (0.3, 0.4, 0.6))
    walk.handle("chat", Ending(dice.randint(0, 2), again=again, give_up=give_up, twice=twice))


def _pick(dice: random.Random) -> int:
    """Mostly one of the last letters."""
    return -dice.choice((1, 2, 3, 4, 5, 9))


def _bury(walk: LettersWalk, dice: random.Random) -> None:
    walk.bury(dice.choice(ROOMS), reply=dice.random() < 0.4, mourned=dice.random() < 0.5)


def _recover(walk: Works, _: random.Random) -> None:
    walk.breathe()
    walk.weed()


_JOBS: _Steps[JobsWalk] = {
    "schedule": (6, _schedule),
    "cancel": (2, _cancel),
    "promote": (5, lambda walk, dice: walk.promote(dice.randint(1, 3))),
    "repeat": (3, lambda walk, _: walk.repeat()),
    "wait": (1, lambda walk, _: walk.wait()),
    "begin": (1, lambda walk, dice: walk.begin(dice.choice(SCHEDULES))),
    "fire": (3, lambda walk, dice: walk.fire(dice.choice(SCHEDULES), dice.randint(0, 9))),
    "flood": (0.1, lambda walk, _: walk.flood()),
    "handle": (5, _end_job),
    "send": (1, lambda walk, _: walk.send("sent")),
    "plant": (0.6, lambda walk, dice: walk.plant_name(dice.choice(JOB_KEYS))),
    "choke": (0.4, lambda walk, _: walk.choke()),
    "forget scripts": (0.3, lambda walk, _: walk.forget_scripts()),
    "recover": (2, _recover),
}

_LETTERS: _Steps[LettersWalk] = {
    "say": (2, lambda walk, dice: walk.say(dice.choice(ROOMS))),
    "handle": (5, _end_message),
    "promote": (1, lambda walk, _: walk.promote()),
    "send": (1.5, lambda walk, dice: walk.send(dice.choice(("sent", "sent", "dead")))),
    "bury": (1, _bury),
    "retry": (6, lambda walk, dice: walk.retry(_pick(dice))),
    "drop": (0.7, lambda walk, dice: walk.drop(_pick(dice))),
    "trim": (0.5, lambda walk, _: walk.trim()),
    "ask": (1.5, lambda walk, dice: walk.ask(dice.choice(ROOMS))),
    "post": (0.5, lambda walk, dice: walk.post(dice.randint(0, 9))),
    "repeat": (3, lambda walk, _: walk.repeat()),
    "plant": (0.6, lambda walk, dice: walk.plant_name(dice.choice(LETTER_KEYS))),
    "choke": (0.4, lambda walk, _: walk.choke()),
    "forget scripts": (0.3, lambda walk, _: walk.forget_scripts()),
    "recover": (2, _recover),
}
