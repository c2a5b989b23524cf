#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""failures.t - a benchmark that fails or is interrupted: no number, no traces.

Runs small benchmarks of a stock server on this machine, with faults injected
from outside.  The launcher is the one of the build tree (make sets builddir).
"""

import glob
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import tap_unittest
from mshare_bench import hugepages, layout, procfs, redirect

LAUNCHER = pathlib.Path(os.environ.get("builddir", ".")).resolve() / "mshare-bench"
HUGE_PAGES = [pathlib.Path(name) for name in ("/proc/sys/vm/nr_hugepages",
                                              "/sys/kernel/mm/transparent_hugepage/shmem_enabled")]
SMALL = ["--native", "--configs", "stock", "--clients", "5", "--seconds", "5",
         "--shared-buffers", "128MB", "--rounds", "1", "--workloads", "touch-all,pgbench"]


def unguarded():
    """SysV segments that guard a data directory of which no server is left.

    Servers and tests of others may come and go meanwhile; their guards, of this size, are attached.
    """
    return {segment["shmid"] for segment in procfs.segments() if segment["nattch"] == 0 and segment["size"] == 56}


class Failures(unittest.TestCase):
    """Each starts a benchmark, hurts it, and looks at what is left."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.out = pathlib.Path(self.directory.name)
        self.before = unguarded()

    def start(self, *more):
        """A benchmark whose progress we read."""
        process = subprocess.Popen([LAUNCHER, *SMALL, "--out", self.out, *more],
                                   text=True, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.scratch = f"/dev/shm/mshare-bench-{process.pid}-"
        return process

    def wait_for(self, process, text):
        """Read progress up to a line that has the text."""
        said = []
        for line in process.stderr:
            said.append(line)
            if text in line:
                return
        self.fail(f'"{text}" was never said, but: {"".join(said)}')

    def end(self, process):
        """Read the rest; exit status."""
        self.rest = process.stderr.read()
        return process.wait(120)

    def summary(self):
        """summary.json."""
        return json.loads((self.out / "summary.json").read_text())

    def servers(self, name=b""):
        """Processes of this benchmark's server, whose titles have the name. Others may run a benchmark, too."""
        found = []
        for entry in procfs.PROC.glob("[0-9]*"):
            try:
                if os.readlink(entry / "cwd").startswith(self.scratch) and name in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def postmaster(self):
        """The server's first process, while clients are connected."""
        return procfs.read_parent(self.servers(b"mshare_bench [local]")[0])

    def assert_no_traces(self):
        """No folder in memory, no segment, no server."""
        self.assertEqual(glob.glob(self.scratch + "*"), [])
        self.assertEqual(unguarded() - self.before, set())
        self.assertEqual(self.servers(), [])

    def test_backend_dies(self):
        """a backend that dies is an error with its log, not a number"""
        process = self.start()
        self.wait_for(process, "running pgbench ...")
        time.sleep(1)
        os.kill(self.servers(b"mshare_bench [local]")[-1], signal.SIGKILL)
        self.assertEqual(self.end(process), 1, self.rest)
        summary = self.summary()
        self.assertEqual([run["workload"] for run in summary["runs"]], ["touch-all"])
        self.assertEqual([(e["config"], e["workload"]) for e in summary["errors"]],
                         [("stock", "pgbench")])
        self.assertTrue((self.out / summary["errors"][0]["log"]).exists())
        self.assert_no_traces()

    def test_interrupted(self):
        """SIGTERM ends everything in good order, and leaves no report of an earlier benchmark"""
        (self.out / "report.html").write_text("old")
        process = self.start()
        self.wait_for(process, "touching all of shared memory in each backend ...")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.end(process), 128 + signal.SIGTERM, self.rest)
        self.assertIn("interrupted by SIGTERM", self.rest)
        summary = self.summary()
        self.assertTrue(summary["incomplete"])
        self.assertIn("interrupted by SIGTERM", summary["errors"][0]["error"])
        self.assertFalse((self.out / "report.html").exists())
        self.assert_no_traces()

    def test_interrupted_twice(self):
        """a second SIGINT does not break the clean-up"""
        process = self.start()
        self.wait_for(process, "running pgbench ...")
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.end(process), 128 + signal.SIGINT, self.rest)
        self.assert_no_traces()

    def test_interrupted_anywhere(self):
        """SIGINT at any moment: partial data is marked, nothing is left"""
        for step in ("initdb ...", "starting the server ...", "connecting 5 clients, 5 at the same time ...",
                     "reconnecting for each query"):
            with self.subTest(step):
                process = self.start("--workloads", "storm,churn", "--clients", "5")
                self.wait_for(process, step)
                process.send_signal(signal.SIGINT)
                self.assertEqual(self.end(process), 128 + signal.SIGINT, self.rest)
                self.assertTrue(self.summary()["incomplete"])
                self.assert_no_traces()

    def test_huge_pages_given_back(self):
        """huge pages reserved, and transparent ones allowed, are as before after a signal and a dead server"""
        if os.geteuid() != 0:
            self.skipTest("only root may reserve huge pages")
        # Not none, and not so many as are needed: what was there is told from what is taken.
        self.enterContext(hugepages.reserved(3))
        before = [path.read_text() for path in HUGE_PAGES]
        for config, number in (("hugetlb", 0), ("thp", 1)):
            for step, hurt in (("prewarming the accounts table ...", self.terminate),
                               ("running pgbench ...", self.kill_postmaster)):
                with self.subTest(config=config, step=step):
                    process = self.start("--configs", config)
                    self.wait_for(process, step)
                    self.assertNotEqual(HUGE_PAGES[number].read_text(), before[number])
                    status = hurt(process)
                    self.assertEqual(self.end(process), status, self.rest)
                    self.assertEqual([path.read_text() for path in HUGE_PAGES], before)
                    self.assert_no_traces()

    @staticmethod
    def terminate(process):
        """SIGTERM; the exit status that must come of it."""
        process.send_signal(signal.SIGTERM)
        return 128 + signal.SIGTERM

    def kill_postmaster(self, _process):
        """SIGKILL for the server; the exit status that must come of it."""
        os.kill(self.postmaster(), signal.SIGKILL)
        return 1

    def test_server_dies(self):
        """a postmaster that is killed is an error, and nothing is left of it: its dynamic shared memory neither"""
        process = self.start()
        self.wait_for(process, "running pgbench ...")
        postmaster = self.postmaster()
        maps = layout.parse_maps((procfs.PROC / str(postmaster) / "maps").read_text())
        files = {pathlib.Path(m.name) for m in maps if m.name.startswith("/dev/shm/")}
        self.assertGreater(len(files), 0)
        os.kill(postmaster, signal.SIGKILL)
        self.assertEqual(self.end(process), 1, self.rest)
        self.assertEqual([e["workload"] for e in self.summary()["errors"]], ["pgbench"])
        self.assertEqual([path for path in files if path.exists()], [])
        self.assert_no_traces()

    def test_disk_full(self):
        """a full disk is an error in one line, nothing is left; what was measured before is kept, and can be reported"""
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", self.out], check=False)
        if mounted.returncode != 0:
            self.skipTest("cannot mount a tmpfs")
        self.addCleanup(subprocess.run, ["umount", self.out], check=True)
        for size, runs in (("64k", []), ("144k", ["storm"])):
            with self.subTest(size):
                subprocess.run(["mount", "-o", f"remount,size={size}", self.out], check=True)
                process = self.start("--workloads", "storm,tpcb")
                self.assertEqual(self.end(process), 1, self.rest)
                self.assertRegex(self.rest, r"\nmshare-bench: No space left on device: .*\n\Z")
                self.assert_no_traces()
                subprocess.run(["mount", "-o", "remount,size=4m", self.out], check=True)
                subprocess.run([LAUNCHER, "report", self.out], check=True, stdout=subprocess.DEVNULL)
                self.assertEqual([run["workload"] for run in self.summary()["runs"]], runs)
                self.assertTrue(self.summary()["incomplete"])
                self.assertIn("INCOMPLETE", (self.out / "report.md").read_text())

    def test_resumed(self):
        """what is complete is kept, what is not is measured anew"""
        self.assertEqual(self.end(self.start("--workloads", "storm", "--clients", "2,3")), 0, self.rest)
        first = self.summary()["runs"]
        (self.out / "sets/mmap-3-128MB.json").write_text("{")
        self.assertEqual(self.end(self.start("--workloads", "storm", "--clients", "2,3", "--resume")), 0, self.rest)
        second = self.summary()["runs"]
        self.assertIn("mmap-2-128MB: measured already", self.rest)
        self.assertEqual(second[0], first[0])
        self.assertNotEqual(second[1], first[1])
        self.assertEqual([run["clients"] for run in second], [2, 3])

    def test_refused(self):
        """what the machine cannot hold is a row with its arithmetic"""
        process = self.start("--clients", "15000", "--shared-buffers", "64GB", "--workloads", "storm")
        self.assertEqual(self.end(process), 2, self.rest)
        self.assertIn("free and the data directory takes", self.rest)

    def test_no_msharefs(self):
        """mshare on a kernel without msharefs is an error"""
        if redirect.kernel_has_msharefs():
            self.skipTest("this kernel has msharefs")
        process = self.start("--configs", "mshare")
        self.assertEqual(self.end(process), 2)
        self.assertRegex(self.rest, r"this kernel has no msharefs.*\n\Z")
        self.assertFalse((self.out / "summary.json").exists())


def reason_to_skip():
    """Why none of this can run here, or None."""
    if not LAUNCHER.exists():
        return f"{LAUNCHER} is not built"
    check = subprocess.run([LAUNCHER, *SMALL, "--configs", "stock", "--clients", "1",
                            "--out", "/proc/none"], check=False, text=True,
                           stderr=subprocess.PIPE)
    # The directory cannot be made: all else was in order if it says just that.
    return None if "/proc/none" in check.stderr else check.stderr.strip()


if __name__ == "__main__":
    REASON = reason_to_skip()
    if REASON:
        print(f"1..0 # SKIP {REASON}")
        raise SystemExit(77)
    tap_unittest.main()
