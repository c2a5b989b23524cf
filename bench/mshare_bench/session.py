# SPDX-License-Identifier: PostgreSQL
"""One connection for questions, open as long as the server runs.

It is opened before the clients come: a new connection would have to wait
behind a thousand busy backends for its share of the processor.
"""

import contextlib
import subprocess

from . import commands
from .errors import BenchError

_END = "--end-of-answer--"


class Session:
    """psql with a pipe to and from it."""

    def __init__(self, server, database):
        self.psql = commands.start(
            [server.program("psql"), "-X", "-A", "-t", "-q", "-F", "\t",
             "-v", "ON_ERROR_STOP=1",
             "-d", server.conninfo(database, application_name="mshare-bench")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        commands.prefer(self.psql.pid)
        commands.prefer(int(self.value("SELECT pg_backend_pid()")))

    def rows(self, sql):
        """The answer to a query: a list of lists of strings."""
        try:
            self.psql.stdin.write(f"{sql};\n\\echo {_END}\n")
            self.psql.stdin.flush()
        except BrokenPipeError:
            pass                    # its last words are on standard error
        answer = []
        for line in self.psql.stdout:
            if line.rstrip("\n") == _END:
                return answer
            answer.append(line.rstrip("\n").split("\t"))
        raise BenchError(f'"{sql}" failed: {self.psql.stderr.read().strip()}')

    def value(self, sql):
        """The first column of the first row; an empty string for null."""
        return self.rows(sql)[0][0]

    def script(self, text):
        """Run statements that answer nothing."""
        self.rows(text)

    def close(self):
        """End psql."""
        with contextlib.suppress(BrokenPipeError):
            self.psql.stdin.close()
        commands.stop(self.psql)
        self.psql.stdout.close()
        self.psql.stderr.close()
