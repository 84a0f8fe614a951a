"""What is being made isn't interrupted."""

import signal
import threading
from collections.abc import Iterator

import pytest

from patql.kernel.interrupts import held_off


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """The handlers that Python, and our command line, start with."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def work(
    done: list[str], *numbers: signal.Signals, error: Exception | None = None
) -> None:
    """Something that gets signals while they are held off, and may fail."""
    with held_off():
        for number in numbers:
            signal.raise_signal(number)
            done.append(number.name)
        if error is not None:
            raise error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_waits_for_the_end(number: signal.Signals) -> None:
    """And comes then."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work(done, number)
    assert done == [number.name]
    assert signal.getsignal(number) is signal.default_int_handler


def test_whoever_takes_it_acts_on_it() -> None:
    """Then nothing comes at the end."""
    with held_off() as held:
        assert not held.take()
        signal.raise_signal(signal.SIGINT)
        assert held.take()
        assert not held.take()


def test_a_second_one_comes_through() -> None:
    """For whoever means it."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work(done, signal.SIGINT, signal.SIGTERM)
    assert done == ["SIGINT"]


def test_an_error_stays_the_error() -> None:
    """The handlers are put back whatever happens."""
    with pytest.raises(ValueError, match="broken"):
        work([], signal.SIGINT, error=ValueError("broken"))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_of_others_are_left_alone() -> None:
    """An application that embeds us has its own."""
    seen: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: seen.append(number))
    with held_off():
        signal.raise_signal(signal.SIGINT)
    assert seen == [signal.SIGINT]


def test_other_threads_are_left_alone() -> None:
    """Only the main thread may set handlers."""
    problems: list[BaseException] = []

    def hold() -> None:
        try:
            with held_off():
                pass
        except BaseException as error:  # noqa: BLE001
            problems.append(error)

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert problems == []
