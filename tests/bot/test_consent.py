"""Who may answer, and the consent that a command wants."""

from __future__ import annotations

import pytest

from hachat.bot.consent import Anybody, Confirm, read_confirm, read_groups


def test_true_is_the_consent_of_whoever_gave_the_command() -> None:
    """And what is spelled out stays as it is."""
    spelled = Confirm(within="1h", who=Anybody({"Ops"}, others=True))
    assert [read_confirm(one) for one in (False, True, spelled)] == [None, Confirm(), spelled]
    assert isinstance(spelled.who, Anybody)
    assert spelled.who.groups == {"ops"}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [("ops", TypeError), ([1], ValueError), (["on call"], ValueError), ([""], ValueError)],
)
def test_what_cannot_be_groups_is_refused(wrong: list[str], error: type[Exception]) -> None:
    """A text would mean its letters."""
    with pytest.raises(error):
        read_groups(wrong)
