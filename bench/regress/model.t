#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""model.t - the arithmetic of page tables: by hand, against what was measured, against a server.

A model that agrees with itself only is worth nothing: the stored runs and the processes of a small storm
on this machine's kernel say what really was needed.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import shared_pmds
import tap_unittest
from mshare_bench import commands, hugepages, layout, model, model_cli, procfs
from mshare_bench.errors import UsageError
from mshare_bench.places import postgres_bindir
from mshare_bench.server import Server
from mshare_bench.session import Session
from mshare_bench.units import GB, MB

BUILD = pathlib.Path(os.environ.get("builddir", ".")).resolve()
RESULTS = tap_unittest.HERE.parent / "results"
TOLERANCE = 0.02

REFUSED = (
    ("", "--sga and --clients"),
    ("--sga 300G", "--sga and --clients"),
    ("--sga 300 --clients 5", '"300"'),
    ("--sga G --clients 5", '"G"'),
    ("--sga 0G --clients 5", '"0G"'),
    ("--sga 300X --clients 5", '"300X"'),
    ("--sga 65T --clients 5", "64T"),
    ("--sga 1G --clients 0", '"0"'),
    ("--sga 1G --clients many", '"many"'),
    ("--sga 1G --clients 5 --page 8k", "8k"),
    ("--sga 1G --clients 5 --levels 3", "3"),
    ("--from-server host=/nowhere", "/nowhere"),
    ("--nonsense", "--nonsense"),
)


def total(size, clients, page, how, levels=4):
    """Bytes that the model predicts."""
    return model.costs(size, page, levels)[how].total(clients)


class ByHand(unittest.TestCase):
    """Worked out on paper."""

    def test_the_headline(self):
        """300 GB and 1500 processes"""
        each = (300 * 512 + 300 + 1) * 4096
        self.assertEqual(total(300 * GB, 1500, "4k", model.STOCK), 1500 * each)
        self.assertEqual(total(300 * GB, 1500, "4k", model.MSHARE), each + 4096)
        self.assertEqual(total(300 * GB, 1500, "4k", model.MSHARE, 5), each + 2 * 4096)

    def test_huge_pages(self):
        """huge pages, with PMD tables shared and not, and those of 1 GB"""
        self.assertEqual(total(4 * GB, 1000, "2m", model.HUGETLB_UNSHARED), 1000 * 5 * 4096)
        self.assertEqual(total(4 * GB, 1000, "2m", model.THP), 1000 * 5 * 4096)
        self.assertEqual(total(4 * GB, 1000, "2m", model.HUGETLB_SHARED), (1000 + 4) * 4096)
        self.assertEqual(total(4 * GB, 1000, "1g", model.HUGETLB), 1000 * 4096)
        self.assertEqual(total(1024 * GB, 10, "1g", model.MSHARE), (2 + 1) * 4096)

    def test_partial_gigabytes(self):
        """the ends of hugetlb memory that fill no GB are not shared"""
        tail = model.hugetlb_shared(2 * GB + 2 * MB)
        self.assertEqual((tail.each["PMD"], tail.once["PMD"]), (4096, 2 * 4096))
        askew = model.hugetlb_shared(4 * GB, 2 * MB)
        self.assertEqual((askew.each["PMD"], askew.once["PMD"]), (2 * 4096, 3 * 4096))
        small = model.hugetlb_shared(512 * MB)
        self.assertEqual((small.each["PMD"], small.once["PMD"]), (4096, 0))

    def test_thp_ends(self):
        """what fills no huge page at the ends has tables of 4 kB pages"""
        self.assertEqual(model.thp(4 * MB).each["PTE"], 0)
        self.assertEqual(model.thp(4 * MB + 4096).each["PTE"], 4096)
        self.assertEqual(model.thp(4 * MB, 4096).each["PTE"], 2 * 4096)
        self.assertEqual(model.thp(4096, 8192).each["PTE"], 4096)

    def test_offsets(self):
        """memory that begins in the middle of what a table maps needs one more"""
        self.assertEqual(model.tables(2 * MB, 2 * MB), 1)
        self.assertEqual(model.tables(2 * MB, 2 * MB, 4096), 2)
        self.assertEqual(model.tables(1, 2 * MB, 2 * MB - 1), 1)
        self.assertEqual(model.tables(2, 2 * MB, 2 * MB - 1), 2)

    def test_levels_add_up(self):
        """the levels of every prediction add up to its total"""
        for levels in model.LEVELS:
            for entry in model_cli.predict(37 * GB + 2 * MB, 123, list(model.PAGES), levels):
                self.assertEqual(sum(entry["levels"].values()), entry["total_bytes"])
                self.assertEqual(123 * entry["each_bytes"] + entry["once_bytes"], entry["total_bytes"])


class Measured(unittest.TestCase):
    """Predictions against measurements, within 2 %."""

    def check(self, predicted, measured):
        """One pair."""
        self.assertLess(abs(predicted / measured - 1), TOLERANCE, f"predicted {predicted}, measured {measured}")

    def test_stored_runs(self):
        """stored runs: stock, mshare, and their ratio"""
        stored = sorted(RESULTS.glob("*/summary.json"))
        self.assertTrue(stored)
        compared = 0
        for path in stored:
            summary = json.loads(path.read_text())
            for saved in filter(None, [summary["savings"], *summary.get("all_savings", [])]):
                run = [r for r in summary["runs"] if r["workload"] == "touch-all"
                       and r["clients"] == saved.get("clients", r["clients"])][0]
                with self.subTest(path.parent.name, clients=run["clients"]):
                    size, clients = run["shared_memory_bytes"], run["clients"]
                    stock, mshare = (total(size, clients, "4k", how) for how in (model.STOCK, model.MSHARE))
                    self.check(stock, saved["sga_page_tables_stock_bytes"])
                    self.check(mshare, saved["sga_page_tables_mshare_bytes"])
                    self.check(stock / mshare, saved["ratio"])
                    compared += 1
        self.assertGreater(compared, 0)

    def test_stored_regions(self):
        """stored runs under mshare: the region, whatever stock had"""
        runs = [run for path in RESULTS.glob("*/summary.json") for run in json.loads(path.read_text())["runs"]
                if (run["config"], run["workload"]) == ("mshare", "touch-all")]
        self.assertGreater(len(runs), 0)
        for run in runs:
            cost = model.mshare(run["shared_memory_bytes"], 4096, 4)
            self.check(model.counted(cost, run["clients"]), run["region_page_table_bytes"])

    def test_stored_storms(self):
        """stored storms: each process that got through, and the region"""
        stored = sorted(RESULTS.glob("*/storm.json"))
        self.assertTrue(stored)
        for path in stored:
            for storm in json.loads(path.read_text())["storms"]:
                size = storm["size_bytes"]
                if storm["config"] == "stock":
                    self.check(total(size, storm["reached"], "4k", model.STOCK), storm["processes_vmpte_bytes"])
                else:
                    self.check(model.counted(model.mshare(size, 4096, 4), 1), storm["region_page_table_bytes"])

    def storm(self, *words):
        """VmPTE of all processes of a storm."""
        with tempfile.TemporaryDirectory() as name:
            path = pathlib.Path(name) / "result.json"
            subprocess.run([BUILD / "sga-storm", "--json", path, *words], check=True, stdout=subprocess.DEVNULL)
            return json.loads(path.read_text())["processes_vmpte_bytes"]

    def test_storm(self):
        """processes of this machine that touch 8 GB, less the same ones that touch 2 MB"""
        many = self.storm("--size", "8G", "--procs", "25")
        few = self.storm("--size", "2M", "--procs", "25")
        predicted = total(8 * GB, 25, "4k", model.STOCK) - total(2 * MB, 25, "4k", model.STOCK)
        self.check(predicted, many - few)


class Processes(unittest.TestCase):
    """Processes of this machine, each in its place: to the table."""

    # Touches each page of shared memory, then waits; the first line is for us to wait for.
    TOUCHER = ("import mmap, sys\nsize = int(sys.argv[1])\nmemory = mmap.mmap(-1, size)\n"
               "memory[::4096] = b'x' * (size // 4096)\nprint(1, flush=True)\nsys.stdin.read()")

    def test_layout(self):
        """VmPTE is what the tables of shared and of own memory come to, those that map both counted once"""
        for size in (64 * MB, 64 * MB + 4096, 1100 * MB):
            with self.subTest(size), subprocess.Popen([sys.executable, "-c", self.TOUCHER, str(size)],
                                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
                process.stdout.readline()
                maps = (procfs.PROC / str(process.pid) / "maps").read_text()
                shared, mine = layout.shared_memory(layout.parse_maps(maps)), layout.own(process.pid, maps)
                found = procfs.read_process(process.pid).vmpte_bytes
                process.stdin.close()
                self.assertEqual(shared.end - shared.start, size)
                both = layout.tables(shared.start, shared.end)
                self.assertEqual(found, 4096 * sum(len(mine[level] | both[level]) for level in both))
                self.assertEqual(4096 * sum(map(len, both.values())), sum(model.stock(size, 4096, shared.start).each.values()))
                self.assertEqual(layout.parse(layout.text_of(mine)), mine)

    def test_hugetlb(self):
        """huge pages: VmPTE has PMD tables in each process, PageTables those of whole, aligned GBs once for all"""
        if os.geteuid() != 0:
            self.skipTest("only root may reserve huge pages")
        size, predicted = shared_pmds.GBS * GB, {}
        for how in (model.HUGETLB_UNSHARED, model.HUGETLB_SHARED):
            predicted[how] = total(size, 300, "2m", how)
        with hugepages.reserved(shared_pmds.GBS):
            for _ in range(4):
                found = shared_pmds.measure(300)
                self.assertEqual(found["vmpte_bytes"], predicted[model.HUGETLB_UNSHARED])
                # PageTables has those of everybody else on this machine, too: what is compared is the large difference,
                # and again if somebody came or went.
                off = (found["vmpte_bytes"] - found["page_tables_bytes"]) / (
                    predicted[model.HUGETLB_UNSHARED] - predicted[model.HUGETLB_SHARED]) - 1
                if abs(off) < TOLERANCE:
                    return
        self.fail(f"{found} is {100 * off:.1f} % off {predicted}")


class FromServer(unittest.TestCase):
    """--from-server, against a small server."""

    def test_from_server(self):
        """sizes, connections and live figures of a server"""
        directory = tempfile.TemporaryDirectory(dir="/dev/shm")
        self.addCleanup(directory.cleanup)
        commands.give_to_server(directory.name)
        server = Server(postgres_bindir(None), directory.name)
        self.addCleanup(server.destroy)
        server.create()
        server.start({"shared_buffers": "128MB", "max_connections": 33, "huge_pages": "off"})
        other = Session(server, "postgres")
        self.addCleanup(other.close)
        result = model_cli.run(model_cli.parse(["--from-server", server.conninfo("postgres")]))
        self.assertEqual(result["clients"], 33)
        self.assertEqual(result["server"]["shared_buffers_bytes"], 128 * MB)
        self.assertTrue(128 * MB < result["sga_bytes"] < 160 * MB, result["sga_bytes"])
        self.assertEqual(result["server"]["huge_pages"], "off")
        self.assertEqual((result["server"]["backends"], result["server"]["live"]["processes"]), (1, 1))
        self.assertGreater(result["server"]["live"]["vmpte_bytes"], 0)
        given = model_cli.run(model_cli.parse(["--from-server", server.conninfo("postgres"), "--clients", "7"]))
        self.assertEqual(given["clients"], 7)


class CommandLine(unittest.TestCase):
    """The program."""

    def run_it(self, line):
        """(status, output, standard error)"""
        done = subprocess.run([BUILD / "mshare-model", *line.split()], check=False, text=True, capture_output=True)
        return done.returncode, done.stdout, done.stderr

    def test_text_and_json(self):
        """the table and JSON say the same"""
        status, text, _ = self.run_it("--sga 300G --clients 1500")
        self.assertEqual(status, 0)
        self.assertRegex(text, r"(?m)^stock +4k +601 MB .* 881 GB$")
        found = json.loads(self.run_it("--sga 300G --clients 1500 --page 4k --levels 5 --json")[1])
        self.assertEqual([p["how"] for p in found["predictions"]], ["stock", "mshare"])
        self.assertEqual(found["predictions"][0]["total_bytes"], 945567744000)

    def test_refused(self):
        """what makes no sense is named in one line, exit status 2"""
        for line, named in REFUSED:
            with self.subTest(line):
                status, _, said = self.run_it(line)
                self.assertEqual((status, said.count("\n")), (2, 1), said)
                self.assertIn(named, said)

    def test_sizes(self):
        """sizes in several spellings"""
        for text, nbytes in (("1G", GB), ("1GB", GB), ("5m", 5 * MB), ("64T", 64 * 1024 * GB), ("3kB", 3072)):
            self.assertEqual(model_cli.parse(["--sga", text, "--clients", "1"]).sga, nbytes)
        with self.assertRaises(UsageError):
            model_cli.parse(["--sga", "1.5G", "--clients", "1"])


if __name__ == "__main__":
    tap_unittest.main()
