#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""parsers.t - what the parsers make of stored logs.

Beside each logs/NAME.log lies logs/NAME.json: which parser it is for, and what
that must return.  Of a dictionary only the entries named there are compared.
"""

import dataclasses
import json
import unittest

import tap_unittest
from mshare_bench import hugepages, kernel_log, machine, pgbench, procfs, redirect, server
from mshare_bench.errors import BenchError

LOGS = tap_unittest.HERE / "logs"


def _intervals(text):
    return [dataclasses.asdict(i) for i in pgbench.parse_progress(text)]


PARSERS = {
    "intervals": _intervals,
    "aborted": pgbench.parse_aborted,
    "crash": server.find_crash,
    "counts": procfs.parse_counts,
    "vmstat": procfs.parse_vmstat,
    "reconnect": pgbench.parse_reconnect,
    "shmem_enabled": hugepages.current,
    "kb_fields": procfs.parse_kb_fields,
    "minor_faults": procfs.parse_minor_faults,
    "parent": procfs.parse_parent,
    "segments": procfs.parse_segments,
    "splat": kernel_log.find_splat,
    "windows": lambda text: redirect.windows(text, "00:21"),
    "mounted": redirect.mounted,
    "acceleration": machine.acceleration,
    "processor": machine.processor,
}


def _case(path):
    """A test method for one stored log."""
    def method(self):
        text = path.with_suffix(".log").read_text()
        for parser, expected in json.loads(path.read_text()).items():
            found = PARSERS[parser](text)
            if isinstance(found, tuple):
                found = list(found)
            if isinstance(expected, dict):
                found = {name: found.get(name) for name in expected}
            self.assertEqual(found, expected, parser)
    method.__doc__ = path.stem
    return method


class StoredLogs(unittest.TestCase):
    """Gets a method for each stored log."""

    def test_every_log_has_an_expected_parse(self):
        """every log has an expected parse, and every parser a log"""
        logs = {path.stem for path in LOGS.glob("*.log")}
        expected = {path.stem for path in LOGS.glob("*.json")}
        self.assertEqual(logs, expected)
        used = {name for path in LOGS.glob("*.json")
                for name in json.loads(path.read_text())}
        self.assertEqual(used, set(PARSERS))


for _path in sorted(LOGS.glob("*.json")):
    setattr(StoredLogs, f"test_{_path.stem}", _case(_path))


class Throughput(unittest.TestCase):
    """Throughput is that of a window of time."""

    # Ends of intervals, tps and latency; one interval is four seconds long.
    INTERVALS = [pgbench.Interval(*row) for row in (
        (100, 5, 900.0), (101, 10, 500.0), (102, 100, 10.0), (103, 0, float("nan")),
        (107, 400, 20.0), (108, 7, 1.0))]

    def between(self, start, end):
        """Of the intervals between two times."""
        return pgbench.throughput(pgbench.inside(self.INTERVALS, start, end))

    def test_ramp_is_dropped(self):
        """the ramp and the end are dropped, longer intervals weigh more"""
        tps, latency = self.between(100.5, 107.5)
        self.assertAlmostEqual(tps, 1700 / 6)
        self.assertAlmostEqual(latency, (100 * 10.0 + 1600 * 20.0) / 1700)

    def test_too_few_intervals(self):
        """fewer than three intervals are no measurement"""
        with self.assertRaisesRegex(BenchError, "2 intervals"):
            self.between(100.5, 103.5)

    def test_nothing_done(self):
        """intervals without transactions are no measurement"""
        idle = [pgbench.Interval(100.0 + i, 0, float("nan")) for i in range(9)]
        with self.assertRaisesRegex(BenchError, "0 transactions"):
            pgbench.throughput(pgbench.inside(idle, 100, 200))


class Rising(unittest.TestCase):
    """When pgbench's clients have got to speed."""

    def rising(self, *rates, start=100.0, seconds=3):
        """One interval a second from start on."""
        return pgbench.is_rising([pgbench.Interval(100.0 + i, tps, 1.0) for i, tps in enumerate(rates)], start, seconds)

    def test_gain(self):
        """throughput rises while a span has more than the one before it"""
        self.assertTrue(self.rising(1, 50, 60, 70, 80, 90, 99))
        self.assertFalse(self.rising(1, 50, 60, 70, 80, 90, 99, 90, 95, 88))
        self.assertFalse(self.rising(1, 100, 90, 110, 104, 94, 114), "4 % more")
        self.assertTrue(self.rising(1, 100, 90, 110, 106, 96, 116), "6 % more")

    def test_too_early(self):
        """before there are two spans since the start, it is taken to rise"""
        steady = (1, *[100] * 6)
        self.assertTrue(self.rising())
        self.assertTrue(self.rising(*steady[:-1]))
        self.assertFalse(self.rising(*steady))
        self.assertTrue(self.rising(*steady, start=100.5), "reports from before the start do not count")

    def test_idle(self):
        """what has not begun has yet to rise"""
        self.assertTrue(self.rising(*[0] * 7))

    def test_late_reports(self):
        """spans are counted back from the last report, and longer intervals weigh more"""
        late = [pgbench.Interval(*row, 1.0) for row in ((100, 0), (101, 300), (104, 100), (105, 300), (108, 111))]
        self.assertTrue(pgbench.is_rising(late, 99.0, 4), "158.25 after 150")
        self.assertFalse(pgbench.is_rising(late[:-1] + [pgbench.Interval(108, 109, 1.0)], 99.0, 4))


class Settling(unittest.TestCase):
    """When PageTables stands still."""

    def test_settled(self):
        """values are settled when the last ones lie together"""
        self.assertTrue(procfs.is_settled([9000, 100, 101, 102, 100], 4, 2))
        self.assertFalse(procfs.is_settled([9000, 103, 101, 102, 100], 4, 2))
        self.assertFalse(procfs.is_settled([100, 100, 100], 4, 2))


class Processes(unittest.TestCase):
    """Samples of processes that are there, and of some that are not."""

    def test_vanished(self):
        """a process that has gone is an error, not a zero"""
        with self.assertRaisesRegex(BenchError, "1 of 2 backends died"):
            procfs.read_processes(["self", 2 ** 22 + 1])


if __name__ == "__main__":
    tap_unittest.main()
