"""What the Sentinels say of the master, and which of it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hachat.core.errors import StoreUnavailable

_NOT_NOW = frozenset(("s_down", "o_down", "failover_in_progress"))


class Master(NamedTuple):
    """The server that takes the writes."""

    host: str
    port: int
    config_epoch: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Answer(NamedTuple):
    """What one Sentinel says: a master, or why it names none, and whether it leads a failover now.

    `failover_epoch` is the config epoch of the master it replaces; `heard` is false where it has said nothing.
    """

    sentinel: str
    master: Master | None
    fault: str = ""
    failover_epoch: int = -1
    heard: bool = True


class FailingOver(StoreUnavailable):
    """The Sentinels are about to replace the master: whatever it still acknowledges may be lost."""


class Behind(StoreUnavailable):
    """The Sentinels that answer have not heard of a failover that is known here, or were set up anew since."""


class Failovers:
    """Remembers which Sentinels lead a failover, for the moment in which one of them is too busy to say so.

    The others know nothing of it before the end: they name the master that is about to lose whatever is written to it.
    A Sentinel that leads a failover and is heard no more has lost it after `STANDS` seconds, or its machine stood still.
    """

    STANDS = 10.0

    def __init__(self) -> None:
        self._leading: dict[str, tuple[Answer, float]] = {}

    def announce(self, sentinel: str, epoch: int, now: float) -> None:
        """Note that a Sentinel has begun to replace the master of config epoch `epoch`, before it is asked."""
        begun = Answer(sentinel, None, "has begun a failover", epoch, heard=False)
        self._leading[sentinel] = begun, now + self.STANDS

    def complete(self, answers: Iterable[Answer], now: float) -> list[Answer]:
        """Return `answers`, and for each Sentinel that is silent what it said when it led a failover lately."""
        answers = list(answers)
        heard = {answer.sentinel: answer for answer in answers if answer.heard}
        for sentinel, answer in heard.items():
            self._leading.pop(sentinel, None)
            if answer.failover_epoch >= 0:
                self._leading[sentinel] = answer, now + self.STANDS
        known = self._leading.items()
        return answers + [led for who, (led, until) in known if who not in heard and now < until]


def choose(service: str, answers: Sequence[Answer], known: int = 0) -> Master:
    """Return the master of the highest config epoch among those named, the one most often named if they differ.

    `known` is the highest config epoch that was ever heard of.

    Raises:
        FailingOver: the Sentinel that leads a failover has not promoted anyone yet.
        Behind: nobody who answers knows of `known`.
        StoreUnavailable: no Sentinel names a master, with what each says instead.
    """
    named = [answer.master for answer in answers if answer.master is not None]
    best = max((master.config_epoch for master in named), default=-1)
    if any(answer.failover_epoch >= max(best, 0) for answer in answers):
        raise FailingOver(f"a failover of {service!r} is under way")
    if not named:
        reasons = "; ".join(f"{answer.sentinel}: {answer.fault}" for answer in answers)
        raise StoreUnavailable(f"no Sentinel names a master for {service!r}: {reasons}")
    if best < known:
        raise Behind(
            f"the Sentinels that answer name a master of {service!r} from before a failover"
            f" (config epoch {best}, known is {known})"
        )
    ((master, _),) = Counter(each for each in named if each.config_epoch == best).most_common(1)
    return master


def read_answer(sentinel: str, state: Sequence[bytes], address: Sequence[bytes]) -> Answer:
    """Return what the replies to SENTINEL MASTER and SENTINEL GET-MASTER-ADDR-BY-NAME say.

    During a failover the first describes the old master to the end, and the second names the new one as soon as it
    was promoted.
    """
    texts = [text.decode() for text in state]
    fields = dict(zip(texts[::2], texts[1::2], strict=True))
    host, port = (text.decode() for text in address)
    epoch = int(fields["config-epoch"])
    flags = set(fields["flags"].split(","))
    if (host, port) != (fields["ip"], fields["port"]):
        return Answer(sentinel, Master(host, int(port), epoch))
    if "master" in flags and not flags & _NOT_NOW:
        return Answer(sentinel, Master(host, int(port), epoch))
    leads = "failover_in_progress" in flags
    fault = f"{host}:{port} is {fields['flags']}"
    return Answer(sentinel, None, fault, failover_epoch=epoch if leads else -1)
