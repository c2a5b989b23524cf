#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""pg_crash_parallel.t - PostgreSQL that is killed in the middle of a parallel query, with much dynamic shared memory.

A parallel hash join whose hash table takes more than 200 MB is held up when the table is complete. Then its
leader, a worker, the postmaster, or everybody is killed, or the server is stopped in immediate mode; see crash.py
for what is looked at. Here it is also the dynamic shared memory: whose segments are left and whose are not, and
that the same query has the right answer afterwards. It is POSIX objects, and with PG_SCHEDULE=full SysV segments, too.
"""

import collections
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import crash  # noqa: E402
from mshare_bench import commands, procfs, redirect  # noqa: E402
from mshare_bench.errors import BenchError  # noqa: E402
from mshare_bench.server import DATABASE, wait_for_end  # noqa: E402
from mshare_bench.session import Session  # noqa: E402
from mshare_bench.units import KB, MB  # noqa: E402

WORKERS = 2
ROWS = 6400
WIDTH = 36 * KB
NEEDED = 200 * MB

SETTINGS = {"max_parallel_workers_per_gather": WORKERS, "min_parallel_table_scan_size": 0,
            "parallel_setup_cost": 0, "parallel_tuple_cost": 0, "work_mem": "256MB"}

# Rows are made wide below the join, by a function that is volatile lest it is evaluated above; the hash table
# gets them in full. A join's filter is the first that runs when the table is complete.
SCRIPT = f"""
CREATE FUNCTION wide(n integer) RETURNS text LANGUAGE plpgsql PARALLEL SAFE
AS $$BEGIN RETURN repeat(repeat(to_char(n, 'FM00000000'), 64), {WIDTH // 512}); END$$;
CREATE FUNCTION intact(n integer, content text) RETURNS boolean LANGUAGE plpgsql PARALLEL SAFE
AS $$BEGIN
IF current_setting('crash.hold', true) = 'on' THEN PERFORM pg_sleep(600); END IF;
RETURN content = wide(n);
END$$;
CREATE TABLE numbers AS SELECT n FROM generate_series(1, {ROWS}) n;
ANALYZE numbers;
"""
QUERY = """SELECT count(*) FROM numbers JOIN (SELECT n, wide(n) FROM numbers) AS built USING (n)
    WHERE intact(numbers.n, built.wide)"""

Segment = collections.namedtuple("Segment", "size resident")
Held = collections.namedtuple("Held", "leader workers dynamic")


def all_segments():
    """Segments that may be dynamic shared memory, whichever way it is made: {name: Segment}."""
    found = {}
    for path in pathlib.Path("/dev/shm").glob("PostgreSQL.*"):
        status = path.stat()
        found[path.name] = Segment(status.st_size, status.st_blocks * 512)
    found.update((segment["shmid"], Segment(segment["size"], segment["rss"])) for segment in procfs.segments())
    return found


def own_windows(pid, postmaster):
    """How many windows a process has that the postmaster has not."""
    device = redirect.mount_device()
    own, inherited = (redirect.windows((procfs.PROC / str(who) / "maps").read_text(), device)
                      for who in (pid, postmaster))
    return sum(window not in inherited for window in own)


def signal_all(pids, signum):
    """A signal for each of the processes."""
    for pid in pids:
        os.kill(pid, signum)


class Scenes(crash.Play):
    """A query that three processes work at when it happens."""
    KINDS = {"mmap": {**SETTINGS, "dynamic_shared_memory_type": "posix"},
             "sysv": {**SETTINGS, "dynamic_shared_memory_type": "sysv"}}
    SCRIPT = SCRIPT

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.before = all_segments()
        self.held = {}

    def segments(self):
        """Without keys, which are random for dynamic shared memory."""
        return sorted(row[1:] for row in super().segments())

    def dynamic(self):
        """The server's dynamic shared memory: {name: Segment}."""
        others = set(self.before)
        # Crash recovery makes the main segment anew; without a pid file there is none.
        with contextlib.suppress(FileNotFoundError):
            others.add(self.server.segment())
        return {name: segment for name, segment in all_segments().items() if name not in others}

    @contextlib.contextmanager
    def query(self, scene):
        """The query, held up; yields its processes and its dynamic shared memory."""
        psql = commands.start([self.server.program("psql"), "-X", "-d", self.server.conninfo(), "-c", QUERY],
                              env=commands.environment(PGOPTIONS="-c crash.hold=on"),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            leader, *workers = self.wait_until_held(psql)
            held = Held(leader, workers, self.dynamic())
            windows = [own_windows(pid, self.server.pid) for pid in (leader, *workers)]
            self.held[scene] = (sum(segment.resident for segment in held.dynamic.values()), windows)
            yield held
        finally:
            commands.stop(psql)

    def wait_until_held(self, psql):
        """Until the leader and its workers sleep; returns them in this order."""
        deadline = time.monotonic() + 120
        with contextlib.closing(Session(self.server, DATABASE)) as session:
            while time.monotonic() < deadline and psql.poll() is None:
                pids = session.rows("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
                                    " ORDER BY leader_pid NULLS FIRST")
                if len(pids) == 1 + WORKERS:
                    return [int(pid) for pid, in pids]
                time.sleep(0.2)
        raise BenchError("the parallel query does not come to the point where it is held", self.server.log)

    def left(self, held):
        """How much is left of the dynamic shared memory that was there: segments and bytes."""
        left = [segment.size for name, segment in self.dynamic().items() if name in held.dynamic]
        return len(left), sum(left)

    def answer(self, scene, **more):
        """The same query once more, and then what is to be seen."""
        with contextlib.closing(Session(self.server, DATABASE)) as session:
            answer, backend = int(session.value(QUERY)), int(session.value("SELECT pg_backend_pid()"))
        # Until it has ended it keeps a segment for its session.
        wait_for_end([backend], 60)
        dynamic = sorted(segment.size for segment in self.dynamic().values())
        self.look(scene, answer=answer, dynamic=dynamic, **more)

    def running(self):
        """A server to which nothing happens; what is written is there for crash recovery to redo."""
        self.start()
        self.look("running")

    def one_killed(self, scene, choose):
        """SIGKILL for a process of the query: crash recovery."""
        with self.query(scene) as held:
            os.kill(choose(held), signal.SIGKILL)
            processes_left = wait_for_end([held.leader, *held.workers], 60)
            crash.wait_until_connectable(self.server)
            self.answer(scene, processes_left=processes_left, left=self.left(held))

    def stopped_immediately(self):
        """pg_ctl stop -m immediate, and a restart that recovers."""
        with self.query("stopped in immediate mode") as held:
            self.server.stop("immediate")
            processes_left = wait_for_end([held.leader, *held.workers], 60)
            left, stopped = self.left(held), self.segments()
        self.start()
        self.answer("stopped in immediate mode", processes_left=processes_left, left=left, segments_stopped=stopped)

    def postmaster_killed(self, scene, choose):
        """SIGKILL for the postmaster, and for others at the same moment.

        What dynamic shared memory is left then is there until the next start.
        """
        with self.query(scene) as held:
            everyone = procfs.children(self.server.pid)
            killed = [self.server.pid, *choose(held)]
            # None of them notices that another one is gone.
            signal_all(killed, signal.SIGSTOP)
            signal_all(killed, signal.SIGKILL)
            processes_left = wait_for_end(everyone, 60)
            crash.wait_until_reaped(self.server.pid)
            left, orphaned = self.left(held), self.segments()
        self.start()
        self.answer(scene, processes_left=processes_left, left=left, segments_orphaned=orphaned,
                    left_after_start=self.left(held))

    def all_scenes(self):
        """From start to end."""
        self.running()
        self.one_killed("the leader killed", lambda held: held.leader)
        self.one_killed("a worker killed", lambda held: held.workers[0])
        self.stopped_immediately()
        self.postmaster_killed("the postmaster killed", lambda held: [])
        self.postmaster_killed("postmaster, leader and workers killed", lambda held: [held.leader, *held.workers])
        self.stopped()

    def check(self):
        """The query was what it has to be, its answers are right, and nothing is left of it."""
        for scene, (resident, windows) in self.held.items():
            print(f"# {self.name}, {scene}: {resident // MB} MB of dynamic shared memory, {windows} windows of their own",
                  flush=True)
            crash.ok(resident >= NEEDED, f"{self.name}, {scene}: 200 MB of dynamic shared memory", resident)
            if self.config == redirect.MSHARE:
                # PostgreSQL makes segments larger as it needs more: the last are worth a region to the library.
                crash.ok(min(windows) >= 1, f"{self.name}, {scene}: each process has windows to it", windows)
            else:
                crash.ok(not any(windows), f"{self.name}, {scene}: no windows", windows)
            crash.ok(self.outcomes[scene]["answer"] == ROWS, f"{self.name}, {scene}: the right answer afterwards",
                     self.outcomes[scene]["answer"])
        left = self.dynamic()
        crash.ok(not left, f"{self.name}: no dynamic shared memory is left", "\n".join(map(str, left.items())))

    @staticmethod
    def check_stock(kind, stock):
        """Crashes were crashes, and only where nobody was there to clean up something was left."""
        for scene in ("the leader killed", "a worker killed"):
            outcome = stock.outcomes[scene]
            crash.ok(outcome["left"] == (0, 0), f"{kind}, {scene}: crash recovery removes all", outcome)
        recovered = stock.outcomes["a worker killed"]["log"]
        crash.ok(recovered["all server processes terminated; reinitializing"] == 2, f"{kind}: two crash recoveries",
                 recovered)
        orphaned = stock.outcomes["postmaster, leader and workers killed"]
        crash.ok(orphaned["left"][1] >= NEEDED and orphaned["left_after_start"] == (0, 0),
                 f"{kind}: orphans are there until the next start", orphaned)


if __name__ == "__main__":
    if os.environ.get("PG_SCHEDULE") != "full":
        os.environ.setdefault("shared_memory_type", "mmap")
    sys.exit(crash.main(Scenes))
