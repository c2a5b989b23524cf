# SPDX-License-Identifier: PostgreSQL
"""The two ways in which a benchmark ends without a result."""


class UsageError(Exception):
    """The user asked for something that cannot be: one line, exit status 2."""


class BenchError(Exception):
    """A run that could not be measured: never a number, exit status 1.

    log is the path of the file that tells more, if there is one.
    """

    def __init__(self, message, log=None):
        super().__init__(message)
        self.log = log
