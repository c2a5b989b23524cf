# SPDX-License-Identifier: PostgreSQL
"""Signals end a benchmark the way an exception does: everything is undone."""

import contextlib
import signal

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """One of the signals that end a program has arrived.

    No Exception, so that no "except Exception" keeps us running.
    """

    def __init__(self, signum):
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def _interrupt(signum, _frame):
    raise Interrupted(signum)


def install():
    """From now on the signals raise Interrupted in the main thread."""
    for signum in _ENDING:
        signal.signal(signum, _interrupt)


@contextlib.contextmanager
def deferred():
    """Hold the signals back, so that a second one cannot break a clean-up."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
