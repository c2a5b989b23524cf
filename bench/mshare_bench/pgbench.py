# SPDX-License-Identifier: PostgreSQL
"""pgbench: the data, the script of the clients, and what it reports."""

import contextlib
import dataclasses
import re
import signal
import subprocess

from . import commands
from .errors import BenchError
from .units import GB, MB

# What clients call themselves at first.
NAME = "pgbench"
# What a client calls itself once it has read a row of every 2 MB of the table,
# and once it has begun with what is measured.
CONVERGED = "mshare-bench converged"
RUNNING = "mshare-bench running"

# The advisory lock that holds clients up until the last one has converged: they
# would only slow it down, and none of what they do counts yet.
BARRIER = 1

# A fifth of each block is filled: the table is as large as ever, and is loaded
# in a fifth of the time.  Page tables depend on blocks, not on rows.
FILLFACTOR = 20
ROWS_PER_SCALE = 100000
_BYTES_PER_SCALE = 66 * MB
# The rest is for the index, the catalogs and what the server keeps free.
_TABLE_SHARE = 0.90

# pgbench needs this many descriptors besides one for each client.
SPARE_FILES = 64

# One page of page table entries maps 2 MB: a row of each makes a backend have
# all the page tables that it can come to have.  A little less than 2 MB apart,
# since rows do not start on such boundaries.
_STEP_BYTES = int(1.9 * MB)

_SCRIPT = f"""\
\\if :converge
SELECT count((SELECT abalance FROM pgbench_accounts WHERE aid = i)) \
FROM generate_series(1, :rows, :step) AS i;
SET application_name = '{CONVERGED}';
SELECT pg_advisory_xact_lock_shared({BARRIER});
SET application_name = '{RUNNING}';
\\set converge 0
\\endif
\\set aid random(1, :rows)
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
"""

_PROGRESS = re.compile(r"^progress: (?P<time>[0-9.]+) s, (?P<tps>[0-9.]+) tps, "
                       r"lat (?P<latency>[0-9.]+|NaN|-nan|nan) ms", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Interval:
    """One line of pgbench -P --progress-timestamp: its end and its figures."""
    time: float
    tps: float
    latency_ms: float


def parse_progress(text):
    """All the intervals that pgbench reported."""
    return [Interval(float(m["time"]), float(m["tps"]), float(m["latency"]))
            for m in _PROGRESS.finditer(text)]


def inside(intervals, start, end):
    """[(length in s, Interval)] of those that lie between two times."""
    return [(this.time - last.time, this) for last, this in zip(intervals, intervals[1:])
            if start <= last.time and this.time <= end]


def _done(intervals):
    """(seconds, transactions) of intervals with their lengths; one weighs as much as it is long."""
    return sum(length for length, _ in intervals), sum(length * i.tps for length, i in intervals)


def throughput(intervals):
    """(tps, latency in ms) of intervals with their lengths.

    pgbench reports when it gets to it, so intervals differ in length.  It is an
    error if there are fewer than three, or if nothing was done in them.
    """
    seconds, transactions = _done(intervals)
    if len(intervals) < 3 or transactions == 0:
        raise BenchError(f"pgbench reported {len(intervals)} intervals with "
                         f"{transactions:.0f} transactions while it was measured; "
                         "raise --seconds")
    waited = sum(length * i.tps * i.latency_ms for length, i in intervals if i.tps > 0)
    return transactions / seconds, waited / transactions


# So much more, and throughput still rises; less is how it varies from one span to the next.
_GAIN = 1.05


def is_rising(intervals, start, seconds):
    """Whether throughput still gains: on the last so many seconds, those before them.

    A busy pgbench reports late, so both spans are counted back from its last
    report.  As long as they reach back beyond start, and while nothing has been
    done at all, it has yet to rise.
    """
    end = intervals[-1].time if intervals else start
    middle = end - seconds
    spans = inside(intervals, max(start, middle - seconds), middle), inside(intervals, middle, end)
    if middle - seconds < start or not all(spans):
        return True
    before, last = (transactions / length for length, transactions in map(_done, spans))
    return last == 0 or last > _GAIN * before


_RECONNECT = re.compile(r"^average connection time = (?P<connect>[0-9.]+) ms\n"
                        r"tps = (?P<tps>[0-9.]+) \(including reconnection times\)$", re.MULTILINE)


def parse_reconnect(text):
    """(tps, mean time to connect in ms) of pgbench -C; None if it does not say."""
    match = _RECONNECT.search(text)
    return match and (float(match["tps"]), float(match["connect"]))


def parse_aborted(text):
    """Clients that gave up, as pgbench says on standard error."""
    return len(re.findall(r"client \d+ (?:script \d+ )?aborted", text))


def scale_for(shared_buffers):
    """The scale whose accounts table and index just fit in shared buffers."""
    return max(1, int(shared_buffers * _TABLE_SHARE) // _BYTES_PER_SCALE)


def data_bytes(shared_buffers):
    """Roughly what the data directory takes, for checks of free space."""
    return scale_for(shared_buffers) * _BYTES_PER_SCALE + GB // 2


def load(server, scale):
    """Create the tables of pgbench in the server's database."""
    commands.run([server.program("pgbench"), "-i", "-q", "-s", str(scale), "-F",
                  str(FILLFACTOR), server.conninfo()], "loading pgbench's tables")


def converging(table, raw):
    """The arguments of clients that first read a row in every 2 MB, then select rows at random."""
    step = max(1, table.rows * _STEP_BYTES // table.nbytes)
    return ["-f", raw.write("pgbench.sql", _SCRIPT), "-D", "converge=1", "-D", f"rows={table.rows}",
            "-D", f"step={step}"]


def reconnect(server, clients, threads, seconds, raw):
    """A connection for each select, for so long; returns what pgbench printed."""
    text = commands.run([str(word) for word in (
        server.program("pgbench"), "-n", "-C", "-b", "select-only", "-c", clients, "-j", min(threads, clients),
        "-T", seconds, server.conninfo(application_name=NAME))], "pgbench -C")
    raw.write("pgbench.log", text)
    if not parse_reconnect(text):
        raise BenchError("pgbench -C does not say how long connecting took", raw.path("pgbench.log"))
    return text


class Pgbench:
    """A running pgbench, prepared statements, until it is told to finish."""

    # It ends when finish() says so; this only limits a run gone astray.
    _LONGEST = 7200

    def __init__(self, server, clients, threads, raw, script):
        self.log = raw.path("pgbench.log")
        command = [server.program("pgbench"), "-n", "-M", "prepared", *script,
                   "-c", clients, "-j", min(threads, clients), "-T", self._LONGEST, "-P", 1,
                   "--progress-timestamp", server.conninfo(application_name=NAME)]
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = commands.start([str(word) for word in command],
                                          stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=subprocess.STDOUT)

    def text(self):
        """All that pgbench has printed up to now."""
        return self.log.read_text()

    def check(self):
        """An error if pgbench has ended, or a client of it."""
        aborted = parse_aborted(self.text())
        if aborted:
            raise BenchError(f"{aborted} pgbench clients gave up", self.log)
        if self.process.poll() is not None:
            raise BenchError("pgbench ended before its time, with exit status "
                             f"{self.process.returncode}", self.log)

    @contextlib.contextmanager
    def paused(self):
        """Keep all clients connected but silent, so that backends can be sampled.

        Beside a thousand busy ones, reading /proc takes minutes.
        """
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def finish(self):
        """End the run as if its time were over, and check how it ended.

        SIGALRM is what pgbench itself waits for with -T.
        """
        self.check()
        self.process.send_signal(signal.SIGALRM)
        try:
            self.process.wait(300)
        except subprocess.TimeoutExpired:
            raise BenchError("pgbench does not end", self.log) from None
        if self.process.returncode != 0 or parse_aborted(self.text()):
            raise BenchError("pgbench failed with exit status "
                             f"{self.process.returncode}", self.log)

    def close(self):
        """End it, however the run went."""
        commands.stop(self.process)
