"""Progress: seldom enough for any service, and the last of it always."""

from __future__ import annotations

import pytest

from hachat.bot.progress import LINE, OFTEN, SOON, Progress
from hachat.bot.replies import MAX_REPLIES


class Message:
    """A message that can be changed; `lines` is what stands where none can."""

    def __init__(self) -> None:
        self.now = 0.0
        self.texts: list[str] = []
        self.lines: list[str] = []
        self.progress = Progress("work", self.show, lambda: self.now)

    def show(self, text: str, *, passing: bool) -> None:
        """Change it."""
        self.texts.append(text)
        if not passing:
            self.lines.append(text)

    def work(self, seconds: int) -> None:
        """Work for so long, and tell how far it is each second."""
        with self.progress as progress:
            for second in range(1, seconds + 1):
                self.now = float(second)
                progress.update(str(second))


def test_it_changes_as_often_as_a_service_allows() -> None:
    """Each other second, and at the end."""
    message = Message()
    message.work(5)

    assert SOON == 2
    assert message.texts == ["work: 2", "work: 4", "work: 5"]


def test_where_nothing_can_be_changed_there_are_few_lines() -> None:
    """One each half minute, and the last."""
    message = Message()
    message.work(70)

    assert LINE == 30
    assert message.lines == ["work: 30", "work: 60", "work: 70"]


def test_what_was_shown_in_passing_is_said_at_the_end() -> None:
    """Else a service that cannot change anything would never tell how it ended."""
    message = Message()
    message.work(2)

    assert message.lines == ["work: 2"]
    assert message.texts == ["work: 2", "work: 2"]


def test_nothing_is_said_twice() -> None:
    """Work without news says nothing more, and neither does a line that was said."""
    message = Message()
    with message.progress:
        pass
    assert not message.texts

    message.now = LINE
    with message.progress as progress:
        progress.update("done")
    assert message.lines == ["work: done"]


def test_hours_of_work_fit_into_what_a_handler_may_say() -> None:
    """After a while a change each half minute is enough."""
    message = Message()
    message.work(3600)

    assert OFTEN < len(message.texts) < MAX_REPLIES


def test_it_tells_how_far_it_was_when_the_work_failed() -> None:
    """And the error stays what it is."""
    message = Message()

    def fail() -> None:
        with message.progress as progress:
            progress.update("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert message.lines == ["work: half"]
