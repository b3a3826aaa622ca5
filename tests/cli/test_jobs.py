"""What is still to come, as the command tells it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio
from rich.console import Console

from hachat.cli.jobs import render
from hachat.core.messages import Job
from hachat.daemon.configuration import load
from hachat.store.commits import Later
from hachat.store.embedded import Server
from hachat.store.jobs import Agenda, Jobs, Waiting
from hachat.store.keys import Keys
from hachat.store.link import Direct, Link
from tests.cli.test_main import hachat, write


async def schedule(server: Server, cluster: str, *names: str) -> None:
    """Have jobs wait in a cluster."""
    link = Link(Direct(server.url))
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        jobs = Jobs(link, Keys(cluster))
        for number, name in enumerate(names):
            due = 3600 + number  # one after the other, however fast they are scheduled
            await jobs.schedule(Later(name, due, "work", Job(name, "kitchen.ring", 1.0)))
        await jobs.begin(["kitchen.open"])
        nursery.cancel_scope.cancel()


@pytest.fixture
def kitchen(server: Server, tmp_path: Path) -> Path:
    """The folder of a cluster with two jobs and a schedule."""
    cluster = load(write(tmp_path, server.url), {}).cluster
    trio.run(schedule, server, cluster, "kitchen/tea", "kitchen/eggs")
    return tmp_path


def show(agenda: Agenda) -> str:
    """Return what people are shown."""
    console = Console(width=120)
    with console.capture() as capture:
        console.print(render(agenda))
    return capture.get()


def test_jobs_are_listed(kitchen: Path) -> None:
    """No daemon needs to run for it; people see a table, programs JSON, and both no more than they asked for."""
    table = hachat("jobs", "list", cwd=kitchen)
    told = json.loads(hachat("jobs", "list", "--json", "--most", "1", cwd=kitchen).stdout)

    assert table.returncode == 0, table.stderr
    assert "kitchen/tea" in table.stdout
    assert "kitchen.open" in table.stdout
    (job,) = told["jobs"]
    assert (job["id"], job["what"], job["attempt"]) == ("kitchen/tea", "kitchen.ring", 0)
    assert 3500 < job["due"] - told["at"] <= 3600
    assert list(told["schedules"]) == ["kitchen.open"]


def test_a_job_is_cancelled(kitchen: Path) -> None:
    """It is gone then, and cannot be cancelled again."""
    first = hachat("jobs", "cancel", "kitchen/tea", cwd=kitchen)
    again = hachat("jobs", "cancel", "kitchen/tea", cwd=kitchen)
    other = hachat("jobs", "cancel", "kitchen/eggs", "--json", cwd=kitchen)

    assert (first.returncode, first.stdout) == (0, "cancelled kitchen/tea\n")
    assert (again.returncode, again.stdout) == (2, "")
    assert "no job waits under the id 'kitchen/tea'" in again.stderr
    assert json.loads(other.stdout) == {"cancelled": "kitchen/eggs"}


def test_the_table_tells_when_jobs_are_due() -> None:
    """Before and after, in words, with ids as they are."""
    jobs = [
        Waiting("late[red]", 990.0, "work", "a.b"),
        Waiting("M1", 1090.0, "chat", "irc/#ops", 2),
    ]
    lines = show(Agenda(1000.0, jobs, {"a.c": 400.0, "a.d": 400.0}, {"a.c": 1010.0})).splitlines()
    assert [line.split() for line in lines if line.split()] == [
        ["JOB", "DUE", "FOR", "TRIES"],
        ["late[red]", "10", "s", "ago", "a.b", "0"],
        ["M1", "in", "1", "min", "30", "s", "irc/#ops", "2"],
        ["SCHEDULE", "NEXT", "LAST"],
        ["a.c", "in", "10", "s", "10", "min", "ago"],
        ["a.d", "-", "10", "min", "ago"],
    ]


def test_nothing_to_come() -> None:
    """An empty agenda is told in words."""
    shown = show(Agenda(1000.0, [], {}))
    assert "no job waits" in shown
    assert "there is no schedule" in shown
