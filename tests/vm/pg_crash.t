#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""pg_crash.t - PostgreSQL that is killed, under the preload library as without it.

A backend is killed, the server is stopped in immediate mode, the postmaster is killed while a backend
lives on; see crash.py for what is looked at.
"""

import contextlib
import os
import re
import signal
import sys

sys.dont_write_bytecode = True

import crash  # noqa: E402
from mshare_bench import procfs  # noqa: E402
from mshare_bench.errors import BenchError  # noqa: E402
from mshare_bench.holder import Holder  # noqa: E402
from mshare_bench.server import wait_for_end  # noqa: E402

CLIENTS = 12


class Scenes(crash.Play):
    """Clients that have nothing to do when it happens."""

    @contextlib.contextmanager
    def clients(self):
        """Connected clients that have touched all of shared memory; yields their backends."""
        holder = Holder(self.program, self.server, CLIENTS, self.raw)
        try:
            holder.run("SELECT pg_mshare_touch()", 4)
            yield holder.pids
        finally:
            holder.close()

    def running(self):
        """A server with clients, to whom nothing happens."""
        self.start()
        with self.clients():
            self.look("running")

    def backend_killed(self):
        """SIGKILL for a backend: crash recovery, all clients lose their connection."""
        with self.clients() as pids:
            os.kill(pids[3], signal.SIGKILL)
            left = wait_for_end(pids, 60)
            crash.wait_until_connectable(self.server)
            self.look("a backend killed", backends_left=left)

    def stopped_immediately(self):
        """pg_ctl stop -m immediate with clients connected, and a restart that recovers."""
        with self.clients() as pids:
            self.server.stop("immediate")
            left = wait_for_end(pids, 60)
            stopped = self.segments()
        self.start()
        self.look("stopped in immediate mode", backends_left=left, segments_stopped=stopped)

    def postmaster_killed(self):
        """SIGKILL for the postmaster while one backend is held up.

        As long as that one lives no server may start: PostgreSQL knows by shm_nattch.
        """
        with self.clients() as pids:
            everyone = procfs.children(self.server.pid)
            os.kill(pids[0], signal.SIGSTOP)
            os.kill(self.server.pid, signal.SIGKILL)
            left = wait_for_end([pid for pid in everyone if pid != pids[0]], 60)
            crash.wait_until_reaped(self.server.pid)
            alone = self.segments()
            refused = self.start_is_refused()
            os.kill(pids[0], signal.SIGCONT)
            left += wait_for_end(pids, 60)
        self.start()
        self.look("the postmaster killed", backends_left=left, segments_alone=alone,
                  refused=refused)

    def start_is_refused(self):
        """Whether a start fails because old shared memory is still in use."""
        try:
            self.start()
        except BenchError as error:
            return bool(re.search(r"pre-existing shared memory block .* is still in use", str(error)))
        return False

    def all_scenes(self):
        """From start to end."""
        self.running()
        self.backend_killed()
        self.stopped_immediately()
        self.postmaster_killed()
        self.stopped()

    @staticmethod
    def check_stock(kind, stock):
        """A start was refused, and a crash was one."""
        scene = stock.outcomes["the postmaster killed"]
        crash.ok(scene["refused"], f"{kind}: no start while an old backend is attached", scene)
        recovered = stock.outcomes["a backend killed"]["log"]
        crash.ok(recovered["all server processes terminated; reinitializing"] == 1,
                 f"{kind}: a killed backend means crash recovery", recovered)


if __name__ == "__main__":
    sys.exit(crash.main(Scenes))
