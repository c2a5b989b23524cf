# SPDX-License-Identifier: PostgreSQL
"""Reads report.md back: every number in it must be, as it is rounded there, one of summary.json or follow from it.

traces.py has those of summary.json from the raw files.
"""

import json
import pathlib
import re
import statistics

from tap_unittest import HERE  # noqa: F401, puts the package on the path
from mshare_bench import configs, layout, model

_NUMBER = re.compile(r"(?<![\w.])([+-]?\d[\d,]*(?:\.\d+)?)(?: (kB|MB|GB|B|ms|s|tps|×|%))?(?![\w.])")
_FACTORS = {"kB": 2 ** 10, "MB": 2 ** 20, "GB": 2 ** 30}
_COLUMNS = {"page tables": "page_tables_bytes", "of the backends": "backend_vmpte_bytes",
            "of the region": "region_page_table_bytes", "minor faults": "backend_minor_faults",
            "scan: faults": "scan_minor_faults", "connect: median": "connect_ms_median", "connect: 99 %": "connect_ms_p99",
            "connect: mean": "connect_ms_mean", "connect: all": "connect_all_s", "first query": "query_ms_median", "first scan": "scan_ms_median",
            "tps": "tps", "latency": "latency_ms", "available": "mem_available_bytes"}
_EXTENSION = ("processes", "page_tables_private_bytes", "page_tables_shared_bytes", "unshared_worst_bytes", "saved_bytes",
              "ratio")


def _says(text, values):
    """Whether the numbers in a text are these values, rounded as they are written."""
    found = _NUMBER.findall(text)
    return len(found) == len(values) and all(
        abs(float(number.replace(",", "")) * _FACTORS.get(unit, 1) - value)
        <= 0.5000001 * 10 ** -len(number.partition(".")[2]) * _FACTORS.get(unit, 1)
        or abs(float(f"{value:.4g}") - float(number.replace(",", ""))) < 1e-9       # four digits that mean something
        for (number, unit), value in zip(found, values))


class _Report:
    """A report.md and what it was made from."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.summary = json.loads((self.directory / "summary.json").read_text())
        self.wrong = []

    def run(self, **fields):
        """The first run that has these fields."""
        return next(run for run in self.summary["runs"] if all(run[name] == value for name, value in fields.items()))

    def expect(self, text, *values):
        """Note a text that says something else."""
        if not _says(text, values):
            self.wrong.append(f'"{text}" does not say {values}')

    def check(self):
        """Everything; returns what is wrong."""
        head, *tables = (self.directory / "report.md").read_text().split("\n### ")
        last, _, _ = tables[-1].partition("\n\n* ")
        self.headlines(re.findall(r"^\* (.*)$", head, re.MULTILINE))
        for text in (*tables[:-1], last):
            title, *lines = text.splitlines()
            rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
            for row in rows[2:]:
                self.kind(title)(title, rows[0], row)
        return self.wrong

    def kind(self, title):
        """What checks a row of a table."""
        for start, check in (("Refused", self.refused), ("Not measured", self.failed), ("Page tables for", self.model),
                             ("Huge pages", self.huge), ("touch-all as", self.extension), ("Times against", self.compared)):
            if title.startswith(start):
                return check
        return self.workload

    def headlines(self, lines):
        """The largest saving, and what stands beside it."""
        saved = self.summary["savings"]
        if not saved:
            return self.wrong.extend(lines)
        self.expect(lines[0], saved["ratio"], saved["clients"], saved["sga_page_tables_mshare_bytes"],
                    saved["sga_page_tables_stock_bytes"])
        for line in lines[1:]:
            key, workload = (("backend_minor_faults", "touch-all") if "faults" in line else ("connect_all_s", "storm"))
            stock, mshare = ([run[key] for run in self.summary["runs"] if (run["config"], run["workload"], run["set"]) == (
                config, workload, saved["set"])] for config in ("stock", "mshare"))
            factor = statistics.median(round(a / b, 4) for a, b in zip(stock, mshare))
            self.expect(line, factor if "fewer" in line or "less" in line else 1 / factor)
        return None

    def workload(self, title, head, row):
        """A run."""
        name, clients, buffers, kind = re.fullmatch(r"([a-z-]+): ([\d,]+) clients, shared buffers (.*), (mmap|sysv)", title).groups()
        config, number = row[0].split(", ")
        run = self.run(config=config, round=int(number), workload=name, shared_memory_type=kind, raw=row[-1])
        self.expect(f"{clients} {buffers}", run["clients"], run["shared_buffers_bytes"])
        for column, cell in zip(head[1:-1], row[1:-1]):
            self.expect(cell, *([run[_COLUMNS[column]]] if cell != "-" else []))

    def compared(self, _title, _head, row):
        """Median and spread of stock, of another, and of how much better it is."""
        found = [c for c in self.summary["comparisons"] if [c["set"], c["config"], c["workload"]] == row[:3]]
        stock, other, better = row[4:7]
        for comparison in found:
            sides = [comparison[side]["values"] for side in ("stock", "other")]
            factors = [b / a if comparison["metric"] == "tps" else a / b for a, b in zip(*sides)]
            texts = [values[:1] if len(values) == 1 else [statistics.median(values), min(values), max(values)]
                     for values in (*sides, factors)]
            if all(map(_says, (stock, other, better), texts)):
                return self.expect(row[7], len(factors))
        return self.wrong.append(f"no comparison is {row}")

    def where(self, row):
        """(run, its layout) of a row that begins with set and configuration."""
        run = self.run(set=row[0], config=row[1], workload="touch-all")
        return run, layout.of_run(self.directory / run["raw"])

    def model(self, _title, _head, row):
        """Predicted by the model's own words, measured by what the kernel says."""
        run, where = self.where(row)
        config, pages = configs.BY_NAME[row[1]], model.PAGES[configs.BY_NAME[row[1]].page]
        size = run["shared_memory_bytes"] if config.once else where.size
        size = -(-size // pages) * pages if config.reserve else size
        cost = model.thp(size, 0 if config.once else where.start) if config.shmem_enabled else (
            model.stock(size, pages, 0 if config.once else where.start))
        times = 1 if config.once else run["clients"]
        predicted = times * sum(cost.each.values())
        measured = run["region_page_table_bytes"] if config.once else (
            run["backend_vmpte_bytes"] - 4096 * times * where.own_only)
        anyway = 0 if config.once else 4096 * times * where.both
        self.expect(" ".join(row[2:]), predicted, measured, 100 * measured / predicted - 100, anyway)

    def huge(self, _title, _head, row):
        """GBs that begin at whole ones, and the rest."""
        run, where = self.where(row)
        whole = max(0, (where.start + where.size) // 2 ** 30 - -(-where.start // 2 ** 30))
        tables, pages = model.tables(where.size, 2 ** 30, where.start), where.size // 2 ** 21
        if int(row[2], 16) != where.start:
            self.wrong.append(f"{row[2]} is not where it begins")
        self.expect(" ".join(row[3:]), whole, tables, pages - 512 * whole, pages,
                    run["backend_minor_faults"] / run["clients"])

    def extension(self, _title, _head, row):
        """pg_mshare_savings."""
        run, _ = self.where(row)
        self.expect(" ".join(row[2:]), *(run["extension"][name] for name in _EXTENSION))

    def refused(self, _title, _head, row):
        """The text is the summary's."""
        if row not in [[r["set"], r["config"], r["reason"]] for r in self.summary["refused"]]:
            self.wrong.append(f"nobody refused {row}")

    def failed(self, _title, _head, row):
        """The text is the summary's."""
        if row not in [[e["set"], e["config"], e["workload"], e["error"], e["log"]] for e in self.summary["errors"]]:
            self.wrong.append(f"no error is {row}")


def unexplained(directory):
    """What a report says that is not so: a list of texts, empty if there is nothing."""
    return _Report(directory).check()
