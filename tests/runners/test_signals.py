"""Signals that wait while a row is stored and charged."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from nasbench.runners.signals import interruptions_deferred, termination_as_interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_waits_for_the_end_of_the_block(number):
    done = []
    before = signal.getsignal(signal.SIGINT)

    def store() -> None:
        with interruptions_deferred():
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            done.append("the whole block")

    with termination_as_interrupt(), pytest.raises(KeyboardInterrupt):
        store()
    assert done == ["the whole block"]
    assert signal.getsignal(signal.SIGINT) is before


def test_nothing_arrives_where_signals_are_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with interruptions_deferred():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_hang_up_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with termination_as_interrupt():
            os.kill(os.getpid(), signal.SIGHUP)
    except KeyboardInterrupt:
        pytest.fail("a hang-up that the caller ignores interrupts")
    else:
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_leave_handlers_alone():
    seen = []

    def work() -> None:
        with interruptions_deferred():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]
