#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""summary.t - summary.json and its table, from runs that are made up."""

import json
import pathlib
import tempfile
import unittest

import tap_unittest
from mshare_bench import guest, summary, units
from mshare_bench.errors import UsageError

MACHINE = {"postgres_version": "postgres (PostgreSQL) 15.0", "kernel": "6.12.0",
           "cpus": 2, "cpu": "some", "accel": "tcg"}


def make_run(config, workload, **fields):
    """A run with all the fields of the schema."""
    return {"config": config, "workload": workload, "clients": 10,
            "shared_memory_bytes": 2 ** 30, "page_tables_bytes": 9000,
            "backend_vmpte_bytes": 8000, "region_page_table_bytes": 0,
            "backend_minor_faults": 5, "connect_ms_median": 1.5, "connect_all_s": 2.5,
            "tps": 100.0, "latency_ms": 10.0, "mem_available_bytes": 2 ** 31,
            "seconds": 12.0, **fields}


STOCK = make_run("stock", "touch-all", backend_vmpte_bytes=5000)
MSHARE = make_run("mshare", "touch-all", backend_vmpte_bytes=1000,
                  region_page_table_bytes=8)


class Savings(unittest.TestCase):
    """The page tables due to shared memory."""

    def test_ratio(self):
        """stock's are those that mshare's backends do not have"""
        self.assertEqual(summary.savings([STOCK, MSHARE]),
                         {"workload": "touch-all",
                          "sga_page_tables_stock_bytes": 4000,
                          "sga_page_tables_mshare_bytes": 8, "ratio": 500.0})

    def test_needs_both(self):
        """there are none without both configurations"""
        self.assertIsNone(summary.savings([STOCK]))
        self.assertIsNone(summary.savings([make_run("stock", "pgbench"), MSHARE]))


class Writing(unittest.TestCase):
    """The file and the table."""

    def test_written(self):
        """what is written can be read, and errors appear only if there are any"""
        built = summary.build(MACHINE, [STOCK, MSHARE], [])
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            summary.write(directory, built)
            read = json.loads((directory / "summary.json").read_text())
        self.assertEqual(read, built)
        self.assertEqual(list(read), ["schema", "machine", "runs", "savings"])

    def test_table(self):
        """the table has both configurations and the factor between them"""
        text = summary.table(summary.build(MACHINE, [STOCK, MSHARE], []))
        self.assertRegex(text, r"of the backends +4\.88 kB +1000 B +5\.00")
        self.assertIn("500 times less", text)

    def test_table_of_errors(self):
        """what was not measured is in the table"""
        errors = [{"config": "stock", "workload": "pgbench", "error": "bad luck",
                   "log": "x.log"}]
        text = summary.table(summary.build(MACHINE, [MSHARE], errors))
        self.assertIn("NOT MEASURED: stock, pgbench: bad luck (see x.log)", text)

    def test_no_numbers_after_a_splat(self):
        """a guest that did not end well leaves errors and no numbers"""
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            summary.write(directory, summary.build(MACHINE, [STOCK, MSHARE], []))
            guest.discard(directory, "a splat")
            read = json.loads((directory / "summary.json").read_text())
        self.assertEqual((read["runs"], read["savings"]), ([], None))
        self.assertEqual(read["machine"], MACHINE)
        self.assertEqual(read["errors"][0]["error"], "a splat")


class Units(unittest.TestCase):
    """Sizes."""

    def test_sizes(self):
        """sizes are those of postgresql.conf"""
        self.assertEqual(units.parse_size("512MB", "--x"), 512 * 2 ** 20)
        for text in ("512", "1gb", "0MB", "-1GB", "1.5GB", "", "GB", "1 GB"):
            with self.assertRaisesRegex(UsageError, "--x"):
                units.parse_size(text, "--x")
        self.assertEqual([units.format_size(n) for n in (5, 1536, 300 * 2 ** 20, 2 ** 31)],
                         ["5 B", "1.50 kB", "300 MB", "2.00 GB"])


if __name__ == "__main__":
    tap_unittest.main()
