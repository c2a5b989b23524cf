#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""storm.t - sga-storm: what it finds, where it stops, what it refuses, what it leaves.

What it says of page tables is held against arithmetic and against this test's own look at /proc.
"""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import tap_unittest
from mshare_bench import procfs

STORM = pathlib.Path(os.environ.get("builddir", ".")).resolve() / "sga-storm"
LAUNCHER = STORM.with_name("mshare-bench")
GB = 2 ** 30

REFUSED = (
    ("--size 0", '--size: "0"'),
    ("--size 300X", '--size: "300X"'),
    ("--size -1G", '--size: "-1G"'),
    ("--size 99999999T", "--size"),
    ("--procs many", '--procs: "many"'),
    ("--procs 0", '--procs: "0"'),
    ("--jobs 0", '--jobs: "0"'),
    ("--stride 1K", "multiple of a page"),
    ("--size 3M", "multiple of the stride"),
    ("--type posix", '--type: "posix"'),
    ("--type file --dir /nowhere --size 1G --procs 1", '"/nowhere"'),
    ("--json /nowhere/x --samples /nowhere/y --size 1G --procs 1", "/nowhere/y"),
    ("--reserve 99T", "needed"),
    ("word", '"word"'),
    ("--nonsense", "nonsense"),
)


def segments(creator):
    """Ids of the SysV segments that a process made; those of others come and go."""
    return {segment["shmid"] for segment in procfs.segments() if segment["cpid"] == creator}


class Storm(unittest.TestCase):
    """Small ones, on this machine's kernel."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.json = pathlib.Path(directory.name) / "result.json"
        self.samples = pathlib.Path(directory.name) / "samples.tsv"

    def storm(self, line):
        """Run it; (status, result or None, standard error)."""
        process = subprocess.Popen([STORM, "--json", self.json, "--samples", self.samples, *line.split()],
                                   text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said = process.communicate()[1]
        result = json.loads(self.json.read_text()) if self.json.exists() else None
        self.assertEqual(segments(process.pid), set())
        return process.returncode, result, said

    def test_types(self):
        """all processes finish, and have the page tables that arithmetic says"""
        for kind in ("sysv", "mmap", "file"):
            with self.subTest(kind):
                status, result, said = self.storm(f"--size 4G --procs 20 --type {kind}")
                self.assertEqual((status, result["outcome"], result["reached"], said),
                                 (0, "finished", 20, ""))
                # 2048 tables of entries, 4 of the level above, 1 or 2 of the next, for each process.
                self.assertEqual(result["process_needs_bytes"], (2048 + 4 + 1) * 4096)
                own = result["processes_vmpte_bytes"] / 20 - result["process_needs_bytes"]
                self.assertTrue(0 <= own < 2 ** 18, f"{own} bytes a process besides")

    def test_stride(self):
        """a longer stride needs fewer page tables"""
        _, result, _ = self.storm("--size 4G --procs 2 --stride 1G")
        self.assertEqual(result["process_needs_bytes"], (4 + 4 + 1) * 4096)
        self.assertLess(result["processes_vmpte_bytes"] / 2, 2 ** 19)

    def test_limit(self):
        """the storm stops by itself before less is available than it was told to leave"""
        reserve = procfs.meminfo("MemAvailable") // 2 ** 20 - 700
        status, result, said = self.storm(f"--size 32G --procs 500 --reserve {reserve}M")
        self.assertEqual((status, result["outcome"], said), (3, "limit", ""))
        self.assertTrue(1 <= result["reached"] < 30, result["reached"])
        self.assertEqual(result["all_need_bytes"], 500 * (16384 + 32 + 1) * 4096)

    def test_samples(self):
        """the course of time is written, and page tables grow in it"""
        self.storm("--size 16G --procs 20 --jobs 1")
        rows = [line.split("\t") for line in self.samples.read_text().splitlines()]
        self.assertEqual(rows[0], ["seconds", "processes", "page_tables_bytes", "mem_available_bytes"])
        self.assertGreaterEqual(len(rows), 10)
        self.assertGreater(int(rows[-1][2]) - int(rows[1][2]), 10 * 32 * 2 ** 20)

    def test_interrupted(self):
        """SIGTERM ends all processes, and the result says that it was interrupted"""
        process = subprocess.Popen([STORM, "--size", "64G", "--procs", "90", "--jobs", "1", "--json", self.json],
                                   stdout=subprocess.DEVNULL)
        while len(procfs.children(process.pid)) < 3:
            time.sleep(0.01)
        children = procfs.children(process.pid)
        self.assertEqual(len(segments(process.pid)), 1)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 128 + signal.SIGTERM)
        self.assertEqual(json.loads(self.json.read_text())["outcome"], "interrupted")
        self.assertEqual([pid for pid in children if procfs.read_process(pid)], [])
        self.assertEqual(segments(process.pid), set())

    def test_killed(self):
        """with the parent killed, no process and no segment is left"""
        process = subprocess.Popen([STORM, "--size", "64G", "--procs", "90"], stdout=subprocess.DEVNULL)
        while len(procfs.children(process.pid)) < 3:
            time.sleep(0.01)
        children = procfs.children(process.pid)
        process.kill()
        process.wait()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and (segments(process.pid) or any(map(procfs.read_process, children))):
            time.sleep(0.05)
        self.assertEqual([pid for pid in children if procfs.read_process(pid)], [])
        self.assertEqual(segments(process.pid), set())

    def test_process_killed(self):
        """a process that is killed is a failure"""
        process = subprocess.Popen([STORM, "--size", "64G", "--procs", "90", "--json", self.json],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while len(procfs.children(process.pid)) < 3:
            time.sleep(0.01)
        os.kill(procfs.children(process.pid)[0], signal.SIGKILL)
        said = process.communicate()[1]
        self.assertEqual(process.returncode, 1)
        self.assertIn("killed by signal 9", said)
        self.assertEqual(json.loads(self.json.read_text())["outcome"], "failed")

    def test_refused_beforehand(self):
        """mshare-bench storm: what sga-storm would not take is refused before a guest is booted for it"""
        out = self.json.with_name("out")
        for line, said in (("--size 300X", '--size: "300X"'), ("--size 3M", "multiple of the stride")):
            with self.subTest(line):
                done = subprocess.run([LAUNCHER, "storm", *line.split(), "--out", out], stdin=subprocess.DEVNULL,
                                      capture_output=True, text=True, check=False)
                self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
                self.assertIn(said, done.stderr)
                self.assertFalse(out.exists())

    def test_refused(self):
        """what makes no sense, or cannot be, is named in one line"""
        for line, named in REFUSED:
            with self.subTest(line):
                status, _, said = self.storm(line)
                self.assertEqual((status, said.count("\n")), (2, 1), said)
                self.assertIn(named, said)


if __name__ == "__main__":
    tap_unittest.main()
