# SPDX-License-Identifier: PostgreSQL
"""What a report says: the same for the page and for the text to be pasted.

A report is made of summary.json and the raw files beside it, and of nothing else.
"""

import json
import pathlib
import statistics

from . import charts, configs, layout, model, pgbench, sampler, summary, workloads
from .errors import UsageError
from .units import format_size

_COLUMNS = (
    ("page tables", "page_tables_bytes", "bytes"), ("of the backends", "backend_vmpte_bytes", "bytes"),
    ("of the region", "region_page_table_bytes", "bytes"), ("minor faults", "backend_minor_faults", "number"),
    ("scan: faults", "scan_minor_faults", "number"), ("connect: median", "connect_ms_median", "ms"),
    ("connect: 99 %", "connect_ms_p99", "ms"), ("connect: mean", "connect_ms_mean", "ms"), ("connect: all", "connect_all_s", "s"),
    ("first query", "query_ms_median", "ms"), ("first scan", "scan_ms_median", "ms"),
    ("tps", "tps", "number"), ("latency", "latency_ms", "ms"), ("available", "mem_available_bytes", "bytes"))
# Of what is compared: its name, its unit, and whether more of it is better.
_WHAT = {"connect_all_s": ("time to connect all", "s", False), "connect_ms_median": ("time to connect, median", "ms", False),
         "connect_ms_p99": ("time to connect, 99 %", "ms", False), "connect_ms_mean": ("time to connect, mean", "ms", False),
         "query_ms_median": ("first query, median", "ms", False), "scan_ms_median": ("first scan, median", "ms", False),
         "tps": ("transactions per second", "tps", True), "latency_ms": ("latency", "ms", False)}


class Results:
    """A benchmark's folder: its summary, and the raw files where they are."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        path = self.directory / summary.NAME
        try:
            self.summary = json.loads(path.read_text())
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}; expected the --out of a benchmark") from None
        except ValueError:
            raise UsageError(f"{path} is no JSON; expected what mshare-bench wrote") from None
        if self.summary.get("schema") not in summary.READABLE:
            raise UsageError(f"{path} has schema {self.summary.get('schema')!r}, and this program reads "
                             f"{' and '.join(map(str, summary.READABLE))}: measure anew")
        self.runs = self.summary["runs"]
        self.machine = self.summary["machine"]

    @property
    def name(self):
        """What a comparison calls it."""
        return self.directory.resolve().name

    @property
    def mode(self):
        """vm or native."""
        return self.machine.get("mode", "vm")

    def of(self, config, workload, of_set):
        """Its runs in all rounds."""
        return [r for r in self.runs if (r["config"], r["workload"], r["set"]) == (config, workload, of_set["name"])]

    def largest(self):
        """The set that is shown where only one can be."""
        return max(self.summary["sets"], key=lambda s: (any(r["set"] == s["name"] for r in self.runs),
                                                        len({r["config"] for r in self.runs if r["set"] == s["name"]}),
                                                        s["clients"]), default=None)


def headlines(results):
    """[(figure, what it is)] of the largest saving, and of times beside it."""
    saved = results.summary["savings"]
    if not saved:
        return []
    found = [(f"{saved['ratio']:,.0f} ×", f"fewer page tables for shared memory with {saved['clients']:,} clients: "
              f"{format_size(saved['sga_page_tables_mshare_bytes'])} instead of "
              f"{format_size(saved['sga_page_tables_stock_bytes'])}")]
    touched = [results.of(config, "touch-all", {"name": saved["set"]})[:1] for config in ("stock", "mshare")]
    if all(touched):
        found.append(_times(touched[0][0]["backend_minor_faults"] / touched[1][0]["backend_minor_faults"],
                            "fewer page faults", "more page faults", "when all of it is touched"))
    for row in results.summary["comparisons"]:
        if (row["set"], row["config"], row["workload"], row["metric"]) == (saved["set"], "mshare", "storm", "connect_all_s"):
            found.append(_times(row["ratio"]["median"], "less time", "more time", "to connect all clients at once"))
    return found


def _times(factor, better, worse, text):
    """A headline: how many times better, or worse."""
    return (f"{factor:.1f} ×", f"{better} {text}") if factor >= 1 else (f"{1 / factor:.1f} ×", f"{worse} {text}")


def machine_lines(results):
    """What it was measured on, and how."""
    machine = results.machine
    if not machine:
        return ["Nothing is known of the machine."]
    if not results.runs:
        return [f"Nothing was measured. Called as: {machine.get('command_line', '?')}, on {machine['date'][:10]}."]
    where = "in a guest (QEMU)" if results.mode == "vm" else "natively"
    return [f"{machine['postgres_version']}, Linux {machine['kernel']}, measured {where}.",
            f"{machine['cpus']} × {machine['cpu']}, acceleration: {machine['accel']}; memory of the sets' machines: "
            + ", ".join(f"{s['name']} {format_size(s['machine'].get('memory_bytes', 0))}"
                        for s in results.summary["sets"] if s["machine"]) + ".",
            f"Called as: {machine.get('command_line', '?')}, on {machine['date'][:10]}."]


def caveats(results):
    """What the figures do not say."""
    lines = ["Sizes and counts are exact: PageTables of /proc/meminfo less its value without a server, VmPTE of each "
             "backend, and MSHAREFS_STAT of the region.",
             "touch-all is the most that page tables can come to: every backend has touched all of shared memory. A "
             "server whose backends touch a tenth of it saves a tenth."]
    if results.machine.get("accel") == "tcg":
        lines.append("Times were measured on an emulated processor (TCG). They say nothing about real machines; only "
                     "ratios inside one set count.")
    lines.append("Times are compared in pairs of the same round, configurations taking turns; median and spread are "
                 "shown. A factor above 1 is better than stock, one below is worse.")
    lines.append("Figures of guests (--vm) and of this machine's kernel (--native) are never mixed.")
    if results.summary.get("incomplete"):
        lines.insert(0, "INCOMPLETE: the benchmark did not come to its end. What is here was measured before.")
    return lines


def tables(results):
    """[(title, head, rows)]: of each set and workload, round 1 of each configuration."""
    found = []
    for of_set in results.summary["sets"]:
        for workload in workloads.NAMES:
            runs = [r for name in of_set["configs"] for r in results.of(name, workload, of_set)]
            if not runs:
                continue
            columns = [c for c in _COLUMNS if any(c[1] in run for run in runs)]
            rows = [[f"{run['config']}, {run['round']}", *(summary.cell(run, key, kind) for _, key, kind in columns),
                     run["raw"]] for run in runs]
            found.append((f"{workload}: {of_set['clients']:,} clients, shared buffers "
                          f"{format_size(of_set['shared_buffers'])}, {of_set['shared_memory_type']}",
                          ["configuration, round", *(c[0] for c in columns), "raw files"], rows))
    return found


def _figure(value):
    """Four digits that mean something, or all that are before the point."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _spread_text(values, unit):
    """Median, and what the values lie between."""
    text = f"{_figure(statistics.median(values))} {unit}"
    return text if len(values) == 1 else f"{text} ({_figure(min(values))} to {_figure(max(values))})"


def comparison_table(results):
    """(title, head, rows) of times in pairs."""
    rows = []
    for found in results.summary["comparisons"]:
        what, unit, more_is_better = _WHAT[found["metric"]]
        stock, other = (found[side]["values"] for side in ("stock", "other"))
        better = [b / a if more_is_better else a / b for a, b in zip(stock, other)]
        rows.append([found["set"], found["config"], found["workload"], what, _spread_text(stock, unit),
                     _spread_text(other, unit), _spread_text(better, "×"), str(len(better))])
    return ("Times against stock, in pairs: median, and spread where there are several rounds",
            ["set", "configuration", "workload", "what", "stock", "configuration's", "better than stock by", "pairs"], rows)


def _touched(results):
    """The runs in which all has been touched, of each set and configuration."""
    for of_set in results.summary["sets"]:
        for name in of_set["configs"]:
            yield from results.of(name, workloads.TOUCH_ALL, of_set)[:1]


def _by_difference(results, run):
    """(predicted, measured, None) of an old benchmark, which did not record what maps own memory; or None."""
    saved = next((s for s in results.summary["all_savings"] if s["set"] == run["set"]), None)
    key = f"sga_page_tables_{run['config']}_bytes"
    if not saved or key not in saved:
        return None
    predicted = model.of_config(configs.BY_NAME[run["config"]], run["shared_memory_bytes"])
    return predicted.total(run["clients"]), saved[key], None


def _model(results, run):
    """(predicted, measured, in tables of own memory as well), in bytes, of a run in which all has been touched."""
    config, where = configs.BY_NAME[run["config"]], layout.of_run(results.directory / run["raw"])
    if not where:
        return _by_difference(results, run)
    if config.once:
        return model.of_config(config, run["shared_memory_bytes"]).total(1), run["region_page_table_bytes"], 0
    table = run["clients"] * model.TABLE
    return (model.of_config(config, where.size, where.start).total(run["clients"]),
            run["backend_vmpte_bytes"] - where.own_only * table, where.both * table)


def model_table(results):
    """(title, head, rows): what arithmetic predicts, and what was measured."""
    rows = []
    for run in _touched(results):
        found = _model(results, run)
        if found:
            predicted, measured, anyway = found
            rows.append([run["set"], run["config"], format_size(predicted), format_size(measured),
                         f"{100 * (measured / predicted - 1):+.2f} %", "-" if anyway is None else format_size(anyway)])
    return ("Page tables for shared memory, by arithmetic and measured",
            ["set", "configuration", "predicted", "measured", "difference", "of it, in tables of own memory"], rows)


def huge_table(results):
    """(title, head, rows): huge pages, and what the kernel's own sharing of PMD tables does for them.

    A backend faults in a page of a GB whose table it shares only if nobody has before.
    """
    rows = []
    for run in _touched(results):
        where = layout.of_run(results.directory / run["raw"])
        if where and configs.BY_NAME[run["config"]].reserve and not configs.BY_NAME[run["config"]].once:
            cost = model.hugetlb_shared(where.size, where.start)
            pages = where.size // model.PAGES["2m"]
            shared = cost.once["PMD"] // model.TABLE
            rows.append([run["set"], run["config"], f"{where.start:x}", f"{shared} of {_pmd(cost)}",
                         f"{pages - 512 * shared:,} of {pages:,}",
                         f"{run['backend_minor_faults'] / run['clients']:,.0f}"])
    return ("Huge pages of 2 MB: PMD tables that the kernel shares by itself",
            ["set", "configuration", "begins at", "PMD tables shared", "pages in others", "minor faults of a backend"],
            rows)


def _pmd(cost):
    return (cost.each["PMD"] + cost.once["PMD"]) // model.TABLE


def extension_table(results):
    """(title, head, rows): what pg_mshare_savings said while all clients were connected."""
    rows = []
    for run in results.runs:
        said = run.get("extension")
        if said and run["workload"] == workloads.TOUCH_ALL:
            rows.append([run["set"], run["config"], str(said["processes"]), format_size(said["page_tables_private_bytes"]),
                         format_size(said["page_tables_shared_bytes"]), format_size(said["unshared_worst_bytes"]),
                         format_size(said["saved_bytes"]), f"{said['ratio']:,.1f}"])
    return ("touch-all as the extension sees it (pg_mshare_savings)",
            ["set", "configuration", "processes", "page tables of processes", "shared", "without sharing", "saved",
             "ratio"], rows)


def failure_tables(results):
    """What was refused, and what could not be measured."""
    refused = [[r["set"], r["config"], r["reason"]] for r in results.summary["refused"]]
    failed = [[e["set"], e["config"], e["workload"], e["error"], str(e.get("log", ""))]
              for e in results.summary.get("errors", [])]
    return [table for table in (
        ("Refused: this machine cannot hold it", ["set", "configuration", "why"], refused),
        ("Not measured", ["set", "configuration", "workload", "error", "log"], failed)) if table[2]]


def all_tables(results):
    """Every table of a report, those without rows left out."""
    found = [*failure_tables(results), model_table(results), huge_table(results), extension_table(results), comparison_table(results),
             *tables(results)]
    return [table for table in found if table[2]]


# --- charts -----------------------------------------------------------------

def _by_kind(sets):
    """Sets that differ in nothing but clients: {(type of shared memory, its size): sets}."""
    kinds = {}
    for of_set in sets:
        kinds.setdefault((of_set["shared_memory_type"], of_set["shared_buffers"]), []).append(of_set)
    return kinds


def _by_clients(results, sets):
    names = [of_set["name"] for of_set in sets]
    series = {}
    for run in results.runs:
        if run["workload"] == workloads.TOUCH_ALL and run["set"] in names:
            series.setdefault(run["config"], []).append((run["clients"], run["page_tables_bytes"] / 2 ** 20))
    return {name: sorted(series[name]) for name in configs.NAMES if name in series}


def _table_charts(results):
    """Page tables against clients, or beside each other where their number is one: a chart for each kind of shared memory."""
    kinds = _by_kind(results.summary["sets"])
    for number, ((memory_type, size), sets) in enumerate(kinds.items()):
        series = _by_clients(results, sets)
        if not series:
            continue
        suffix, of_kind = (f"_{number}", f"; {memory_type}, {format_size(size)}") if len(kinds) > 1 else ("", "")
        if len({x for rows in series.values() for x, _ in rows}) > 1:
            yield charts.lines(f"clients{suffix}", f"Page tables against clients, who have touched everything{of_kind}",
                               series, "clients", "MB", "xy")
        else:
            clients = next(iter(series.values()))[0][0]
            yield charts.bars(f"tables{suffix}", f"Page tables, {clients:,} clients have touched everything{of_kind}",
                              {name: (rows[0][1],) * 3 for name, rows in series.items()}, "MB", True)


def _raw(results, of_set, name, *more):
    """{configuration: a raw file of round 1}, where there is one."""
    paths = {config: results.directory / "raw" / of_set["name"] / "-".join((config, "1", *more)) / name
             for config in of_set["configs"]}
    return {config: path for config, path in paths.items() if path.exists()}


def _over_time(results, of_set, value):
    """{configuration: [(second, value of a sample and the one before)]}."""
    series = {}
    for config, path in _raw(results, of_set, "samples.tsv").items():
        rows = sampler.read(path)
        series[config] = [(f"{row['time'] - rows[0]['time']:.1f}", f"{value(before, row):.2f}")
                          for before, row in zip(rows, rows[1:]) if row["time"] > before["time"]]
    return {name: rows for name, rows in series.items() if len(rows) > 1}


def _faults_per_second(before, row):
    return (row["minor_faults"] - before["minor_faults"]) / (row["time"] - before["time"])


def _tps_over_time(results, of_set):
    series = {}
    for config, path in _raw(results, of_set, "pgbench.log", workloads.PGBENCH).items():
        found = pgbench.parse_progress(path.read_text())
        series[config] = [(f"{interval.time - found[0].time:.1f}", f"{interval.tps:.1f}") for interval in found]
    return {name: rows for name, rows in series.items() if len(rows) > 1}


def _time_charts(results, of_set):
    """Charts of what was sampled every second."""
    clients = f"{of_set['clients']:,} clients"
    for name, title, series, unit in (
            ("time", f"Page tables over time, {clients}, all workloads of round 1",
             _over_time(results, of_set, lambda _, row: row["page_tables_bytes"] / 2 ** 20), "MB"),
            ("faults_time", f"Minor faults per second over time, {clients}, the whole machine",
             _over_time(results, of_set, _faults_per_second), "faults per second"),
            ("available_time", f"Memory available over time, {clients}",
             _over_time(results, of_set, lambda _, row: row["mem_available_bytes"] / 2 ** 30), "GB"),
            ("tps_time", f"Transactions per second over time, {clients}, select-only",
             _tps_over_time(results, of_set), "tps")):
        if series:
            yield charts.lines(name, title, series, "seconds", unit, points=False)


def _spread(results, of_set, workload, key):
    series = {}
    for config in of_set["configs"]:
        values = [run[key] for run in results.of(config, workload, of_set) if run.get(key)]
        if values:
            low, high = min(values), max(values)
            if key == "tps" and len(values) == 1 and "tps_min" in results.of(config, workload, of_set)[0]:
                low, high = (results.of(config, workload, of_set)[0][name] for name in ("tps_min", "tps_max"))
            series[config] = (round(statistics.median(values), 3), low, high)
    return series


def chart_list(results):
    """The charts that there are data for."""
    of_set = results.largest()
    if not of_set:
        return []
    found = list(_table_charts(results))
    found += _time_charts(results, of_set)
    for name, workload, key, title, unit, log in (
            ("connect", workloads.STORM, "connect_all_s", f"Connecting {of_set['clients']:,} clients at once, with spread",
             "seconds", False),
            ("faults", workloads.TOUCH_ALL, "backend_minor_faults", f"Minor faults, all of it touched by {of_set['clients']:,} clients", "faults", True),
            ("tps", workloads.PGBENCH, "tps", f"Transactions per second, {of_set['clients']:,} clients, select-only, with spread", "tps", False)):
        series = _spread(results, of_set, workload, key)
        if series:
            found.append(charts.bars(name, title, series, unit, log))
    return found
