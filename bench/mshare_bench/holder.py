# SPDX-License-Identifier: PostgreSQL
"""connect-hold: many connections, opened one by one or at once, timed and kept."""

import contextlib
import json
import statistics
import subprocess

from . import commands
from .errors import BenchError


class Holder:
    """A running connect-hold; its constructor returns when all are connected."""

    def __init__(self, program, server, clients, raw, jobs=1):
        self.raw = raw
        self.process = commands.start(
            [str(program), str(clients), str(jobs),
             server.conninfo(application_name="connect-hold")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.connected = self._event("connected")
        except BaseException:
            self.close()
            raise

    @property
    def pids(self):
        """The backends, one for each connection."""
        return self.connected["pids"]

    @property
    def connect_seconds(self):
        """How long it took to open all of the connections."""
        return self.connected["seconds"]

    @property
    def connect_ms_median(self):
        """How long it took to open a connection."""
        return statistics.median(self.connected["ms"])

    @property
    def connect_ms(self):
        """How long each connection took to be opened."""
        return self.connected["ms"]

    def run(self, sql, jobs):
        """Run a query on every connection; the event tells times and values."""
        self.process.stdin.write(f"run {jobs} {sql}\n")
        self.process.stdin.flush()
        return self._event("ran")

    def _event(self, name):
        line = self.process.stdout.readline()
        if not line:
            raise BenchError("connect-hold ended before its time, with exit "
                             f"status {self.process.wait()}")
        event = json.loads(line)
        self.raw.append(f"connect-hold-{name}.json", line)
        if event["event"] != name:
            raise BenchError(f"client {event['client'] + 1} failed: "
                             f"{event['message'].strip()}")
        return event

    def close(self):
        """Disconnect all."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(300)
        commands.stop(self.process)
        self.process.stdout.close()
