"""A long walk whose steps are chosen by dice: quicker than hypothesis at getting into deep water, but it tells no short story."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from hachat.store.inbound import DEATHS
from hachat.store.keys import LANES, Lane
from hachat.store.outbound import Outcome
from tests.store.queue_model import ROOMS
from tests.store.walk_inbound import Draft
from tests.store.walk_look import look
from tests.store.walk_outbound import Walk

_OUTCOMES: Sequence[Outcome] = ("sent", "sent", "defer", "doubt", "dead")


def stroll(walk: Walk, dice: random.Random, steps: int) -> None:
    """Do so many steps, and look after each.

    Raises:
        AssertionError: server and model do not agree.
    """
    names, weights = list(_STEPS), [weight for weight, _ in _STEPS.values()]
    for name in dice.choices(names, weights, k=steps):
        _STEPS[name][1](walk, dice)
        look(walk)
        walk.tick()


def _enqueue(walk: Walk, dice: random.Random) -> None:
    walk.enqueue(dice.choice(list(ROOMS)), dice.randint(0, 3), dice.randint(0, 2))


def _turn(walk: Walk, dice: random.Random) -> None:
    drafts = [_draft(dice) for _ in range(dice.choice((1, 2, 3, 3)))]
    held: list[tuple[str, Lane]] = [
        (name, token.lane) for name, node in walk.nodes.items() for token, _ in node.held.values()
    ]
    free: tuple[str, Lane] = (dice.choice(walk.living), dice.choice(LANES))
    name, lane = dice.choice([free, *held[-3:]])
    walk.turn(name, lane, drafts, dice.choice((None, 0, 1, 2)), heard=dice.random() < 0.8)


def _progress(walk: Walk, dice: random.Random) -> None:
    aside, heard = dice.random() < 1 / 2, dice.random() < 0.8
    walk.progress(_node(walk, dice), dice.randint(0, 9), _draft(dice), aside=aside, heard=heard)


def _send(walk: Walk, dice: random.Random) -> None:
    outcomes: list[tuple[Outcome, bool]] = [
        (dice.choice(_OUTCOMES), dice.random() < 0.3) for _ in range(dice.choice((0, 2, 3, 3)))
    ]
    walk.send(_master(walk, dice), outcomes, dice.randint(0, 3), heard=dice.random() < 0.8)


def _trouble(walk: Walk, dice: random.Random) -> None:
    key = dice.choice((walk.keys.mailbox, walk.keys.outbox))(dice.choice(list(ROOMS)))
    troubles: Sequence[Callable[[], None]] = (
        walk.forget_scripts,
        walk.choke,
        *[lambda: walk.plant(key)] * 3,
    )
    dice.choice(troubles)()


def _wake(walk: Walk, dice: random.Random) -> None:
    if walk.dead:
        name, heard = dice.choice(walk.dead[-3:]), dice.random() < 0.5
        walk.wake(name, dice.choice(LANES), dice.randint(1, 2), heard=heard)


def _spread(walk: Walk, dice: random.Random) -> None:
    """Whoever takes over dies as well."""
    for _ in range(DEATHS):
        holders = [name for name in walk.living if walk.inbound.held_by(name)]
        if holders:
            walk.die(dice.choice(holders))
            walk.reap(_living(walk, dice), 9)


def _recover(walk: Walk, _: random.Random) -> None:
    walk.breathe()
    walk.weed()


def _draft(dice: random.Random) -> Draft:
    return Draft(
        replies=dice.choice((0, 0, 1, 1, 2, 3)),
        room=dice.choice(list(ROOMS)),
        look=dice.random() < 0.2,
        give_way=dice.random() < 0.3,
        give_up=dice.random() < 0.1,
        later=dice.random() < 0.1,
    )


def _node(walk: Walk, dice: random.Random) -> str:
    holders = [name for name, node in walk.nodes.items() if node.held]
    return dice.choice([*walk.living, *holders[-3:]])


def _living(walk: Walk, dice: random.Random) -> str:
    return dice.choice(walk.living)


def _master(walk: Walk, dice: random.Random) -> str:
    masters = list(walk.masters)
    return masters[max(0, len(masters) - 1 - dice.choice((0, 0, 0, 1)))]


_STEPS: Mapping[str, tuple[float, Callable[[Walk, random.Random], None]]] = {
    "enqueue": (4, _enqueue),
    "turn": (9, _turn),
    "progress": (3, _progress),
    "repeat": (3, lambda walk, _: walk.repeat()),
    "find unheard": (1, lambda walk, dice: walk.find_unheard(_living(walk, dice))),
    "die": (0.5, lambda walk, dice: walk.die(_living(walk, dice))),
    "reap": (1, lambda walk, dice: walk.reap(_living(walk, dice), dice.randint(0, 3))),
    "wake": (0.3, _wake),
    "spread": (0.3, _spread),
    "hand back": (0.3, lambda walk, dice: walk.hand_back(_living(walk, dice))),
    "send": (9, _send),
    "succeed": (0.5, lambda walk, _: walk.succeed()),
    "inherit": (0.7, lambda walk, dice: walk.inherit(_master(walk, dice))),
    "wait": (3, lambda walk, _: walk.wait()),
    "trouble": (0.6, _trouble),
    "recover": (1.5, _recover),
}
"""What is done how often, and by what."""
