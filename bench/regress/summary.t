#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""summary.t - summary.json and its table, from runs that are made up."""

import argparse
import json
import pathlib
import tempfile
import unittest

import tap_unittest
from mshare_bench import benchmark, configs, found, matrix, plan, procfs, sample, schema, summary, units
from mshare_bench.errors import BenchError, UsageError

MACHINE = {"postgres_version": "postgres (PostgreSQL) 15.0", "kernel": "6.12.0",
           "cpus": 2, "cpu": "some", "accel": "tcg"}


SET = matrix.Set(10, 2 ** 30, "mmap", ("stock", "mshare"), ("touch-all", "pgbench"), 5, 3)


def make_run(config, workload, **fields):
    """A run with all the fields of the schema."""
    return {"set": SET.name, "config": config, "workload": workload, "round": 1, "clients": 10,
            "shared_buffers_bytes": 2 ** 30, "shared_memory_type": "mmap", "raw": "raw/x",
            "shared_memory_bytes": 2 ** 30, "page_tables_bytes": 9000,
            "backend_vmpte_bytes": 8000, "region_page_table_bytes": 0,
            "backend_minor_faults": 5, "connect_ms_median": 1.5, "connect_all_s": 2.5,
            "tps": 100.0, "latency_ms": 10.0, "mem_available_bytes": 2 ** 31,
            "seconds": 12.0, **fields}


def make_state(runs, **more):
    """What a set has found."""
    return {"set": {"name": SET.name, **SET.to_json()}, "complete": True, "machine": MACHINE, "runs": runs,
            "errors": [], "refused": [], **more}


STOCK = make_run("stock", "touch-all", backend_vmpte_bytes=5000)
MSHARE = make_run("mshare", "touch-all", backend_vmpte_bytes=1000,
                  region_page_table_bytes=8)

EXTENSION = {"processes": 17, "page_tables_private_bytes": 2000, "page_tables_shared_bytes": 8,
             "page_tables_bytes": 2008, "unshared_worst_bytes": 2096, "unshared_measured_bytes": None,
             "saved_bytes": 88, "ratio": 1.044}


class Agreement(unittest.TestCase):
    """What the extension says must be what the benchmark sees."""

    @staticmethod
    def check(processes=2, private=200 * 2 ** 20, shared=2 ** 20, region=2 ** 20):
        """Two processes of 100 MB each."""
        server = [procfs.Process(pid, 100 * 2 ** 20, 0, 0) for pid in (1, 2)]
        said = {"processes": processes, "page_tables_private_bytes": private, "page_tables_shared_bytes": shared}
        sample.check_savings(said, server, region and {"page_table_bytes": region})

    def test_agree(self):
        """within 1 %"""
        self.check()
        self.check(private=201 * 2 ** 20, shared=2 ** 20 + 8192)
        self.check(shared=0, region=None)

    def test_disagree(self):
        """more than that is an error, and so is another number of processes"""
        for changed, said in (({"processes": 3}, "counts 3 processes, and there are 2"),
                              ({"private": 203 * 2 ** 20}, "page tables of processes"),
                              ({"private": 197 * 2 ** 20}, "page tables of processes"),
                              ({"shared": 0}, "shared page tables"), ({"region": None}, "shared page tables")):
            with self.assertRaisesRegex(BenchError, said):
                self.check(**changed)


class Savings(unittest.TestCase):
    """The page tables due to shared memory."""

    def test_ratio(self):
        """stock's are those that mshare's backends do not have"""
        self.assertEqual(summary.savings([STOCK, MSHARE]),
                         {"workload": "touch-all", "set": "mmap-10-1GB", "clients": 10,
                          "sga_page_tables_stock_bytes": 4000,
                          "sga_page_tables_mshare_bytes": 8, "ratio": 500.0})

    def test_extension(self):
        """what pg_mshare_savings said under mshare stands beside"""
        found = summary.savings([STOCK, {**MSHARE, "extension": EXTENSION}])
        self.assertEqual((found["extension_saved_bytes"], found["extension_processes"], found["ratio"]), (88, 17, 500.0))

    def test_needs_both(self):
        """there are none without both configurations"""
        self.assertIsNone(summary.savings([STOCK]))
        self.assertIsNone(summary.savings([make_run("stock", "pgbench"), MSHARE]))


class Comparisons(unittest.TestCase):
    """Times are compared in pairs, round by round."""

    def test_paired(self):
        """the ratio is that of each round, not that of the medians"""
        runs = [make_run(config, "pgbench", round=n, tps=tps, latency_ms=None)
                for config, all_tps in (("stock", (100, 10, 60)), ("mshare", (50, 20, 20)))
                for n, tps in enumerate(all_tps, 1)]
        only, = summary.comparisons(runs)
        self.assertEqual((only["config"], only["workload"], only["metric"]), ("mshare", "pgbench", "tps"))
        self.assertEqual(only["ratio"], {"values": [2, 0.5, 3], "median": 2, "min": 0.5, "max": 3})
        self.assertEqual(only["stock"]["median"], 60)

    def test_unpaired(self):
        """a round that only one of them has does not count"""
        runs = [make_run("stock", "churn", tps=5.0), make_run("mshare", "churn", round=2, tps=5.0)]
        self.assertEqual(summary.comparisons(runs), [])


class Refusals(unittest.TestCase):
    """What a machine cannot hold."""

    def test_arithmetic(self):
        """too little memory: a row with the arithmetic, which adds up"""
        what = matrix.Set(2000, 2 ** 30, "mmap", configs.NAMES, ("touch-all",), 5, 1)
        row = plan.refusal(what, "stock", 8 * units.GB)
        self.assertRegex(row["reason"], r"would need 4\.\d+ GB of page tables \+ .* = 1\d\.\d GB; 8\.00 GB are available")
        self.assertEqual(row["needed_bytes"], sum(plan.needs(what, configs.BY_NAME["stock"]).values()))
        self.assertIsNone(plan.refusal(what, "mshare", 9 * units.GB))
        self.assertIsNone(plan.refusal(what, "stock", 15 * units.GB))

    def test_by_the_server(self):
        """what PostgreSQL does not have"""
        what = matrix.Set(10, 2 ** 30, "sysv", configs.NAMES, ("touch-all",), 5, 1)
        self.assertIn("huge_pages=on", plan.refusal(what, "hugetlb", 99 * units.GB)["reason"])
        self.assertIsNone(plan.refusal(what, "stock", 99 * units.GB))

    def test_default_guest(self):
        """2000 clients under mshare fit in the default guest"""
        what = matrix.Set(2000, 2 ** 30, "mmap", ("mshare",), ("touch-all",), 5, 1)
        self.assertLessEqual(plan.guest_memory(what, plan.DEFAULT_GUEST), plan.DEFAULT_GUEST)
        self.assertIsNone(plan.refusal(what, "mshare", plan.DEFAULT_GUEST - plan.GUEST_BYTES))


class Writing(unittest.TestCase):
    """The file and the table."""

    def test_written(self):
        """what is written can be read, and errors appear only if there are any"""
        built = summary.build([make_state([STOCK, MSHARE])])
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            summary.write(directory, built)
            read = json.loads((directory / "summary.json").read_text())
        self.assertEqual(read, json.loads(json.dumps(built)))
        self.assertEqual(list(read), ["schema", "machine", "sets", "runs", "refused", "comparisons", "savings",
                                      "all_savings"])

    def test_schema(self):
        """what is written is what the schema says, and the schema notices what is not"""
        errors = [{"set": SET.name, "config": "stock", "workload": "pgbench", "round": 1, "error": "x", "log": ""}]
        built = json.loads(json.dumps(summary.build([make_state([STOCK, MSHARE], errors=errors, complete=False)])))
        self.assertEqual(schema.problems(built), [])
        built["runs"][0]["extension"] = EXTENSION
        self.assertEqual(schema.problems(built), [])
        built["runs"][0]["extension"] = {**EXTENSION, "saved_bytes": None}
        self.assertEqual(schema.problems(built), ["summary.runs[0].extension.saved_bytes: None is no integer"])
        del built["runs"][0]["extension"]
        self.assertEqual(schema.problems({**built, "more": 1}), ["summary: more is not known"])
        self.assertEqual(schema.problems({**built, "schema": 1}), ["summary.schema: 1 is not one of those there are"])
        built["runs"][0]["tps"] = "many"
        del built["runs"][1]["raw"]
        self.assertEqual(schema.problems(built), ["summary.runs[0].tps: 'many' is no number",
                                                  "summary.runs[1]: has no raw"])

    def test_table(self):
        """the table has both configurations and the factor between them"""
        text = summary.table(summary.build([make_state([STOCK, MSHARE])]))
        self.assertRegex(text, r"of the backends +4\.88 kB +1000 B +5\.00")
        self.assertIn("500 times less", text)

    def test_table_of_errors(self):
        """what was not measured, and what was refused, is in the table"""
        errors = [{"set": "mmap-10-1GB", "config": "stock", "workload": "pgbench", "round": 1, "error": "bad luck",
                   "log": "x.log"}]
        refused = [{"set": "mmap-10-1GB", "config": "thp", "reason": "would need a miracle"}]
        text = summary.table(summary.build([make_state([MSHARE], errors=errors, refused=refused)]))
        self.assertIn("NOT MEASURED: mmap-10-1GB, stock, pgbench: bad luck (see x.log)", text)
        self.assertIn("REFUSED: mmap-10-1GB, thp: would need a miracle", text)

    def died(self, status):
        """summary.json of a benchmark whose guest ended with a status after two runs."""
        with tempfile.TemporaryDirectory() as name:
            options = argparse.Namespace(out=pathlib.Path(name), sets=[SET])
            found.write_json(found.path_of(options.out, SET), make_state([STOCK, MSHARE], complete=False))
            bench = benchmark.Benchmark(options, None, None, "", None)
            bench._died(SET, status)
            return bench._write()

    def test_no_numbers_after_a_splat(self):
        """a splat leaves errors and no numbers"""
        read = self.died(99)
        self.assertEqual((read["runs"], read["savings"], read["incomplete"]), ([], None, True))
        self.assertEqual(read["machine"], MACHINE)
        self.assertIn("splat", read["errors"][0]["error"])

    def test_partial_numbers_after_a_death(self):
        """a guest that died leaves what it had measured, marked as incomplete"""
        read = self.died(125)
        self.assertEqual((len(read["runs"]), read["incomplete"]), (2, True))
        self.assertIn("125", read["errors"][0]["error"])


class Units(unittest.TestCase):
    """Sizes."""

    def test_sizes(self):
        """sizes are those of postgresql.conf, or shorter"""
        for text in ("512MB", "512M", "512mb"):
            self.assertEqual(units.parse_size(text, "--x"), 512 * 2 ** 20)
        for text in ("512", "1KiB", "0MB", "-1GB", "1.5GB", "", "GB", "1 GB"):
            with self.assertRaisesRegex(UsageError, "--x"):
                units.parse_size(text, "--x")
        self.assertEqual([units.format_size(n) for n in (5, 1536, 300 * 2 ** 20, 2 ** 31)],
                         ["5 B", "1.50 kB", "300 MB", "2.00 GB"])


if __name__ == "__main__":
    tap_unittest.main()
