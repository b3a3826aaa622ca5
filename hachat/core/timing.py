"""How long a lease lasts, and which times cannot work together."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from hachat.core.errors import SettingsError

_ROUNDING = 1e-9
_WILD = 0.1


class Timing(Struct, frozen=True, kw_only=True):
    """How long a lease lasts and how eagerly it is tended, in seconds.

    Raises:
        SettingsError: the times cannot work together.
    """

    ttl: float = 5.0
    renew: float = 1.25
    op_timeout: float = 0.4
    margin: float = 0.5
    send_timeout: float = 2.0
    lock_delay: float = 7.0
    drift: float = 0.01

    def __post_init__(self) -> None:
        faults = list(self._find_faults())
        if faults:
            raise SettingsError(faults, "lease")

    def _find_faults(self) -> Iterator[str]:
        needed = self.renew + 2 * self.op_timeout + self.margin + self.send_timeout
        if needed > self.ttl + _ROUNDING:
            yield (
                f"renew {self.renew:g} + 2 * op_timeout {self.op_timeout:g} + margin {self.margin:g}"
                f" + send_timeout {self.send_timeout:g} = {needed:g} s is more than ttl {self.ttl:g} s;"
                f" raise ttl to at least {needed:g} or lower one of the others"
            )
        if self.lock_delay < self.ttl:
            yield f"lock_delay {self.lock_delay:g} s is less than ttl {self.ttl:g} s: a term could outlive it; raise lock_delay to at least {self.ttl:g}"
        if not 0 <= self.drift < _WILD:
            yield f"drift {self.drift:g} is not a share from 0 to {_WILD:g}; 0.01 suits any clock"

    @property
    def span(self) -> float:
        """How long a confirmation lasts, counted from the moment its question was sent."""
        return self.ttl * (1 - self.drift) - self.margin

    @property
    def bar(self) -> float:
        """How long a node that stepped down may not take the lease it gave back."""
        return 2 * self.ttl
