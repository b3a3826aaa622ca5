"""What was said in a test and what was done about it, for whoever wants to know why the test failed."""

from __future__ import annotations

from collections.abc import Sequence

from hachat.core.messages import Event, Inbound, Job, Message, Webhook
from hachat.testing.service import Said

ITSELF = "robot"
"""What is run for an unknown command, and for the answer to a question before the handler goes on."""


class Transcript:
    """Lines in the order in which things happened."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.running = ""
        """What was run last, if anything."""

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def note_run(self, inbound: Inbound, routes: Sequence[str]) -> None:
        """Note what a node has begun to handle, and what it runs for that."""
        self.running = ", ".join(routes)
        self._lines.append(f"{_describe(inbound)}\n    {_tell(self.running)}")

    def note_said(self, said: Said) -> None:
        """Note what the bot has said or done."""
        if said.op == "say":
            self._lines.append(f"    says in {said.room}: {said}")
        else:
            what = [said, *(f"{name}={value}" for name, value in said.args.items())]
            self._lines.append(
                f"    does in {said.room}: {' '.join([said.op, *filter(None, what)])}"
            )


def _tell(running: str) -> str:
    if running == ITSELF:
        return "the bot itself sees to that"
    return f"runs {running}" if running else "no route is for that"


def _describe(inbound: Inbound) -> str:
    match inbound:
        case Message():
            return f"{inbound.user.id} in {inbound.room.address}: {inbound.text}"
        case Webhook():
            return f"webhook for {inbound.route}"
        case Job():
            return f"due: {inbound.route}"
        case Event():
            return f"event: {inbound.name}"
