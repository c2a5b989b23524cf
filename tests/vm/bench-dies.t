#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""bench-dies.t - a benchmark whose guest panics, and one that is ended meanwhile: nothing is left, partial data is kept.

Measures in a guest, with the programs of PostgreSQL but for a pgbench that panics the guest's kernel, or waits to be
ended, when it is told to reconnect: by then the workload before has been measured. $bench_out is the folder for results.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench/regress"))
import tap_unittest  # noqa: E402
from mshare_bench import places, procfs  # noqa: E402

OUT = pathlib.Path(os.environ["bench_out"])
LAUNCHER = pathlib.Path(os.environ["top_builddir"]).resolve() / "bench/mshare-bench"
SMALL = ["--configs", "stock", "--clients", "5", "--shared-buffers", "128MB", "--shared-memory-type", "mmap", "--rounds", "1",
         "--seconds", "5", "--workloads", "storm,churn", "--mem", "3GB"]


def descendants(pid):
    """All processes that a process has started, and those they have."""
    found = procfs.children(pid)
    return found + [other for child in found for other in descendants(child)]


def is_guest(pid):
    """Whether a process is one; those that have ended meanwhile are not."""
    try:
        return b"qemu" in (procfs.PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


class Dies(unittest.TestCase):
    """Each boots a guest."""

    def start(self, name, harm):
        """A benchmark with such a pgbench, below the folder of that name."""
        self.out = OUT / name
        self.guests = []
        # Not below OUT, which may be root's alone, nor below /tmp, where a guest has its own.
        bindir = pathlib.Path(tempfile.mkdtemp(prefix="mshare-bench-dies-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, bindir)
        bindir.chmod(0o755)
        real = places.postgres_bindir(None)
        for path in real.iterdir():
            if path.name != "pgbench":
                (bindir / path.name).symlink_to(path)
        (bindir / "pgbench").write_text(
            f"#!/bin/bash\ncase \" $* \" in *' -C '*) {harm} ;; esac\nexec {real / 'pgbench'} \"$@\"\n")
        (bindir / "pgbench").chmod(0o755)
        # kernel/scripts/boot makes folders for a guest: what is left here is left by ours, and not by somebody else's.
        self.temporary = tempfile.mkdtemp(prefix="mshare-bench-dies-")
        self.addCleanup(shutil.rmtree, self.temporary)
        return subprocess.Popen([LAUNCHER, *SMALL, "--pg-bindir", bindir, "--out", self.out], stdin=subprocess.DEVNULL,
                                env={**os.environ, "TMPDIR": self.temporary},
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def check(self, process, status, said):
        """Read the rest, and see what is there."""
        # Before the rest is read: a guest that lives on has that pipe, too, and would be waited for.
        ended = process.wait()
        left = list(filter(is_guest, self.guests))
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        rest = process.stderr.read()
        process.stderr.close()
        self.assertEqual(ended, status, rest)
        self.assertEqual((len(self.guests), left), (1, []))
        self.assertEqual(os.listdir(self.temporary), [])
        summary = json.loads((self.out / "summary.json").read_text())
        self.assertTrue(summary["incomplete"])
        self.assertEqual([run["workload"] for run in summary["runs"]], ["storm"])
        self.assertTrue((self.out / summary["runs"][0]["raw"] / "backends.tsv").exists())
        self.assertIn(said, " ".join(error["error"] for error in summary["errors"]))
        return rest

    def wait_for(self, process):
        """Read progress up to the harm, and remember the guest, which may be gone before its last line has come to us."""
        said = []
        for line in process.stderr:
            said.append(line)
            self.guests = self.guests or list(filter(is_guest, descendants(process.pid)))
            if "reconnecting for each query" in line:
                return
        self.fail("it never came to reconnecting, but: " + "".join(said))

    def test_panic(self):
        """a guest that panics: what was measured before is in the report, marked as incomplete"""
        process = self.start("panic", "sleep 3; echo c >/proc/sysrq-trigger; sleep 600")
        self.wait_for(process)
        self.check(process, 125, "the guest ended with exit status 125")
        self.assertIn("INCOMPLETE", (self.out / "report.md").read_text())
        self.assertIn("Kernel panic", (self.out / "kernel.log").read_text())

    def test_ended(self):
        """SIGTERM while a guest measures: the guest is gone, what was measured before is kept"""
        process = self.start("ended", "sleep 600")
        self.wait_for(process)
        process.send_signal(signal.SIGTERM)
        self.assertIn("interrupted by SIGTERM", self.check(process, 128 + signal.SIGTERM, "interrupted by SIGTERM"))


if __name__ == "__main__":
    tap_unittest.main()
