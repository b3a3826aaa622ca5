"""Step-downs that are asked of a node by HTTP; it asks the master, whoever that is."""

from __future__ import annotations

from functools import partial

import msgspec

from hachat.cluster.candidates import find_candidates
from hachat.cluster.schedule import order_for, read_moment
from hachat.cluster.stepdown import step_down
from hachat.core.errors import UsageError
from hachat.core.stepdown import Order
from hachat.store.keys import Keys
from hachat.store.lease import LeaseView
from hachat.store.link import Link
from hachat.store.schedule import Scheduled


class Moved(msgspec.Struct, frozen=True):
    """A step-down that is done: the nodes, the epochs of their terms, and the seconds without a master, if seen."""

    old: str
    new: str
    old_epoch: int
    new_epoch: int
    gap: float | None


async def move(link: Link, keys: Keys, order: Order, leaver: str, patience: float) -> Moved:
    """Move the lease; raises as `hachat.cluster.stepdown.step_down` does."""
    view, find = LeaseView(link, keys), partial(find_candidates, link, keys)
    done = await step_down(view, find, order, leaver=leaver, patience=patience)
    return Moved(done.old.node, done.new.node, done.old.epoch, done.new.epoch, done.gap)


async def move_later(link: Link, keys: Keys, order: Order, leaver: str, at: str) -> Scheduled:
    """Have the lease moved at a time; raises as `hachat.cluster.schedule.order_for` does."""
    try:
        moment = read_moment(at)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return await order_for(link, keys, order, moment, leaver=leaver)
