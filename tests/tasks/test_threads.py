"""A thread for blocking calls: results, order, cancelling, and its end."""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import pytest
import trio
import trio.testing

from hachat.tasks.threads import Thread
from tests.waiting import until, until_sync

T = TypeVar("T")

_names = (f"test-{number}" for number in itertools.count())


class Gate:
    """A blocking call that says when it began, and ends when it is let through."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self._open = threading.Event()

    def __call__(self) -> str:
        """Block."""
        self.began.set()
        assert self._open.wait(20)
        return "through"

    def open(self) -> None:
        """Let it through."""
        self._open.set()


class Subject:
    """A thread, and what can be seen of it from outside."""

    def __init__(self) -> None:
        self.name = next(_names)
        self.thread = Thread(self.name)

    async def run(self, do: Callable[[], T]) -> T:
        """Run a call."""
        return await self.thread.run(do, trio.Event())

    def alive(self) -> int:
        """Return how many threads serve it."""
        return sum(thread.name == self.name for thread in threading.enumerate())

    def at_rest(self) -> bool:
        """Whether no thread serves it."""
        return not self.alive()


@pytest.fixture
def subject() -> Iterator[Subject]:
    """Make a thread, and see it end."""
    made = Subject()
    yield made
    made.thread.end()
    until_sync(made.at_rest)


async def test_a_call_returns_its_result(subject: Subject) -> None:
    """What the call returns is what its caller gets."""
    assert await subject.run(lambda: "done") == "done"


async def test_a_call_raises_its_error(subject: Subject) -> None:
    """What the call raises is raised to its caller, and the thread goes on."""
    error = KeyError("a mistake")

    def fail() -> None:
        raise error

    with pytest.raises(KeyError) as caught:
        await subject.run(fail)

    assert caught.value is error
    assert await subject.run(lambda: "done") == "done"


async def test_all_calls_are_made_by_one_thread(subject: Subject) -> None:
    """It starts with the first call, stays for the next ones, and is not the loop's."""
    assert subject.at_rest()

    threads = {await subject.run(threading.current_thread) for _ in range(5)}

    assert [thread.name for thread in threads] == [subject.name]
    assert threading.current_thread() not in threads
    assert subject.alive() == 1


async def test_calls_are_made_one_after_the_other(subject: Subject) -> None:
    """Calls asked for together are made in their order, and each caller gets its own answer."""
    at_work = threading.Lock()
    made: list[int] = []
    answers: dict[int, int] = {}

    def work(number: int) -> int:
        assert at_work.acquire(blocking=False)
        made.append(number)
        at_work.release()
        return -number

    async def ask(number: int) -> None:
        answers[number] = await subject.run(lambda: work(number))

    gate = Gate()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subject.run, gate)
        await until(gate.began.is_set)
        for number in range(50):
            nursery.start_soon(ask, number)
            await trio.testing.wait_all_tasks_blocked()
        assert not made
        gate.open()

    assert made == list(range(50))
    assert answers == {number: -number for number in range(50)}


async def test_a_blocking_call_does_not_block_the_loop(subject: Subject) -> None:
    """While the thread is busy other tasks go on."""
    gate = Gate()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subject.run, gate)
        await until(gate.began.is_set)
        gate.open()


async def test_over_is_set_by_the_time_of_the_answer(subject: Subject) -> None:
    """Whoever has the result, or the error, finds the event set; before the call it is not."""
    fine, failed = trio.Event(), trio.Event()

    assert await subject.thread.run(fine.is_set, fine) is False
    with pytest.raises(ZeroDivisionError):
        await subject.thread.run(lambda: 1 // 0, failed)

    assert fine.is_set()
    assert failed.is_set()


async def test_a_cancelled_call_lets_its_caller_go(subject: Subject) -> None:
    """The caller goes at once, the thread goes on, and `over` is set when the call has ended, and not before."""
    gate, over = Gate(), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subject.thread.run, gate, over)
        await until(gate.began.is_set)
        nursery.cancel_scope.cancel()

    await trio.testing.wait_all_tasks_blocked()
    assert not over.is_set()
    gate.open()
    with trio.fail_after(5):
        await over.wait()


async def test_the_error_of_a_cancelled_call_is_nobody_s(subject: Subject) -> None:
    """A call that fails after its caller has gone ends as quietly as one that succeeds."""
    gate, over = Gate(), trio.Event()

    def fail() -> None:
        gate()
        raise KeyError("too late")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(subject.thread.run, fail, over)
        await until(gate.began.is_set)
        nursery.cancel_scope.cancel()
    gate.open()

    with trio.fail_after(5):
        await over.wait()
    assert await subject.run(lambda: "done") == "done"


async def test_others_wait_behind_a_cancelled_call(subject: Subject) -> None:
    """The next call is made once the cancelled one has ended, and gets its own answer."""
    gate = Gate()
    order: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subject.run, gate)
        await until(gate.began.is_set)
        nursery.cancel_scope.cancel()

    async def ask() -> None:
        order.append(await subject.run(lambda: "mine"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        order.append("opened")
        gate.open()

    assert order == ["opened", "mine"]


async def test_a_call_cancelled_beforehand_is_not_made(subject: Subject) -> None:
    """What nobody waits for from the beginning does not keep the thread."""
    made: list[bool] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        await subject.run(lambda: made.append(True))

    assert scope.cancelled_caught
    assert await subject.run(lambda: "done") == "done"
    assert not made


async def test_the_end_comes_after_all_calls(subject: Subject) -> None:
    """Calls asked for before the end are answered, then the thread ends."""
    gate = Gate()
    answers: list[str] = []

    async def ask(do: Callable[[], str]) -> None:
        answers.append(await subject.run(do))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, gate)
        await until(gate.began.is_set)
        nursery.start_soon(ask, lambda: "waited")
        await trio.testing.wait_all_tasks_blocked()
        subject.thread.end()
        gate.open()

    assert sorted(answers) == ["through", "waited"]
    await until(subject.at_rest)


async def test_a_call_behind_the_end_is_made(subject: Subject) -> None:
    """However often and whenever the thread was told to end, a later call is answered and can be ended again."""
    subject.thread.end()
    with trio.fail_after(10):
        for _ in range(3):
            assert await subject.run(lambda: "done") == "done"
            subject.thread.end()
            subject.thread.end()

    await until(subject.at_rest)


async def test_a_call_behind_the_end_waits_for_those_before_it(subject: Subject) -> None:
    """A thread that was told to end in the middle of a call keeps the next one waiting, and both are answered."""
    gate = Gate()
    answers: list[str] = []

    async def ask(do: Callable[[], str]) -> None:
        answers.append(await subject.run(do))

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, gate)
            await until(gate.began.is_set)
            subject.thread.end()
            nursery.start_soon(ask, lambda: "behind")
            await trio.testing.wait_all_tasks_blocked()
            assert not answers
            gate.open()

    assert sorted(answers) == ["behind", "through"]


async def test_an_end_at_any_moment_leaves_no_call_unanswered(subject: Subject) -> None:
    """Ends from another thread, from the call itself and from the loop race with calls, and every one is answered."""
    stop = threading.Event()

    def keep_ending() -> None:
        while not stop.wait(0.0001):
            subject.thread.end()

    ending = threading.Thread(target=keep_ending)
    ending.start()
    try:
        with trio.fail_after(20):
            for number in range(200):
                assert await subject.run(partial(abs, -number)) == number
                await subject.run(subject.thread.end)
    finally:
        stop.set()
        ending.join()
    await until(subject.at_rest)


async def test_a_thread_at_rest_keeps_nothing_alive(subject: Subject) -> None:
    """What a call was made of, and its result, can go although the thread stays."""

    class Big:
        """Something that can be watched going."""

        def make(self) -> Big:
            """Return another."""
            return Big()

    big = Big()
    result = await subject.run(big.make)
    watched = weakref.ref(big), weakref.ref(result)
    del big, result

    def gone() -> bool:
        gc.collect()
        return not any(ref() for ref in watched)

    await until(gone)
    assert subject.alive() == 1


def test_a_loop_that_ends_first_leaves_nothing_hanging(subject: Subject) -> None:
    """The loop does not wait for a call nobody waits for, and its thread ends although the loop is gone."""
    gate = Gate()

    async def leave() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subject.run, gate)
            await until(gate.began.is_set)
            nursery.cancel_scope.cancel()

    trio.run(leave)

    assert subject.alive() == 1
    gate.open()
    subject.thread.end()
    until_sync(subject.at_rest)


def test_a_thread_outlives_its_loop(subject: Subject) -> None:
    """A call of another loop is answered there, behind one whose own loop has ended."""
    gate = Gate()

    async def leave() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subject.run, gate)
            await until(gate.began.is_set)
            nursery.cancel_scope.cancel()

    async def come() -> str:
        with trio.fail_after(10):
            gate.open()
            return await subject.run(lambda: "done")

    trio.run(leave)

    assert trio.run(come) == "done"
