# SPDX-License-Identifier: PostgreSQL
"""Traces every number of a benchmark's summary.json to its raw files: computes it anew from them, and from nothing else.

None of this is the benchmark's own code but for the parsers of pgbench's reports: what it gets wrong shall be seen.
"""

import json
import math
import pathlib
import re
import statistics

from tap_unittest import HERE  # noqa: F401, puts the package on the path
from mshare_bench import pgbench

_UNITS = {"kB": 2 ** 10, "MB": 2 ** 20, "GB": 2 ** 30}
_SET = re.compile(r"(?P<type>mmap|sysv)-(?P<clients>\d+)-(?P<size>\d+)(?P<unit>kB|MB|GB)")
_RUN = re.compile(r"(?P<config>[a-z-]+)-(?P<round>\d+)-(?P<workload>touch-all|storm|first-query|churn|pgbench|tpcb)")


def _lines(path):
    """The values of a file that has one JSON value a line."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def _columns(path):
    """{column: [numbers]} of tab-separated values."""
    head, *rows = (line.split("\t") for line in path.read_text().splitlines())
    return {name: [float(row[n]) for row in rows] for n, name in enumerate(head)}


def _kb(path, name):
    return int(re.search(rf"^{name}: +(\d+) kB$", path.read_text(), re.MULTILINE).group(1)) * 1024


def _spread(prefix, values):
    """Median and 99th percentile, by the nearest rank."""
    return {f"{prefix}_median": statistics.median(values),
            f"{prefix}_p99": sorted(values)[math.ceil(len(values) * 99 / 100) - 1]}


def _sample(raw, context):
    """What was read while all clients were connected."""
    backends = _columns(raw / "backends.tsv")
    region = json.loads((raw / "region.json").read_text())
    return {"page_tables_bytes": _kb(raw / "meminfo.txt", "PageTables") - context["page_tables_without_server_bytes"],
            "mem_available_bytes": _kb(raw / "meminfo.txt", "MemAvailable"),
            "backend_vmpte_bytes": sum(backends["vmpte_bytes"]), "backend_minor_faults": sum(backends["minor_faults"]),
            "region_page_table_bytes": region["page_table_bytes"] if region else 0,
            "extension": json.loads((raw / "savings.json").read_text())}


def _holder(raw):
    connected = _lines(raw / "connect-hold-connected.json")[0]
    return {**_spread("connect_ms", connected["ms"]), "connect_all_s": connected["seconds"]}


def _touch_all(raw, clients, _cpus):
    touched = _lines(raw / "connect-hold-ran.json")[0]
    return {**_holder(raw), "tps": clients / touched["seconds"], "latency_ms": statistics.mean(touched["ms"])}


def _storm(raw, clients, _cpus):
    return {**_holder(raw), "jobs": min(clients, 64)}


def _first_query(raw, _clients, _cpus):
    fresh = _columns(raw / "fresh.tsv")
    found = {"backends": len(fresh["scan_ms"]),
             "scan_minor_faults": max(0, statistics.median(fresh["scan_minor_faults"])
                                      - statistics.median(fresh["rescan_minor_faults"]))}
    for name in ("connect_ms", "query_ms", "scan_ms"):
        found |= _spread(name, fresh[name])
    return found


def _churn(raw, clients, cpus):
    log = (raw / "pgbench.log").read_text()
    return {"tps": float(re.search(r"^tps = ([\d.]+)", log, re.MULTILINE).group(1)),
            "connect_ms_mean": float(re.search(r"connection time = ([\d.]+) ms", log).group(1)), "jobs": min(clients, 4 * cpus)}


def _pgbench(raw, _clients, _cpus):
    """Intervals wholly inside the window; each weighs as much as it is long."""
    start, end = map(float, (raw / "window.txt").read_text().split())
    found = pgbench.parse_progress((raw / "pgbench.log").read_text())
    inside = [(b.time - a.time, b) for a, b in zip(found, found[1:]) if a.time >= start and b.time <= end]
    done = sum(length * i.tps for length, i in inside)
    return {"tps": done / sum(length for length, _ in inside), "tps_min": min(i.tps for _, i in inside),
            "tps_max": max(i.tps for _, i in inside),
            "latency_ms": sum(length * i.tps * i.latency_ms for length, i in inside if i.tps) / done}


_WORKLOADS = {"touch-all": _touch_all, "storm": _storm, "first-query": _first_query, "churn": _churn, "pgbench": _pgbench,
              "tpcb": _pgbench}


def run_from(directory, path):
    """What the run with the raw files in a folder must be in the summary."""
    raw = pathlib.Path(directory) / path
    of_set, which = _SET.fullmatch(raw.parent.name), _RUN.fullmatch(raw.name)
    context = json.loads((raw / "context.json").read_text())
    clients = int(of_set["clients"])
    found = _WORKLOADS[which["workload"]](raw, clients, context["cpus"])
    if (raw / "backends.tsv").exists():
        found |= _sample(raw, context)
    found = {name: round(value, 3) if isinstance(value, float) else value for name, value in found.items()}
    return {"set": raw.parent.name, "config": which["config"], "workload": which["workload"],
            "round": int(which["round"]), "clients": clients,
            "shared_buffers_bytes": int(of_set["size"]) * _UNITS[of_set["unit"]], "shared_memory_type": of_set["type"],
            "shared_memory_bytes": context["shared_memory_bytes"],
            "seconds": round(context["ended"] - context["started"], 1), "raw": path, **found}


def _saving(runs, name):
    """The saving of a set, of its runs by configuration and workload."""
    stock, mshare = (next((r for r in runs if (r["set"], r["config"], r["workload"]) == (name, config, "touch-all")), None)
                     for config in ("stock", "mshare"))
    if not stock or not mshare:
        return None
    paid, shared = stock["backend_vmpte_bytes"] - mshare["backend_vmpte_bytes"], mshare["region_page_table_bytes"]
    return {"workload": "touch-all", "set": name, "clients": mshare["clients"], "sga_page_tables_stock_bytes": paid,
            "sga_page_tables_mshare_bytes": shared, "ratio": round(paid / shared, 1),
            "extension_saved_bytes": mshare["extension"]["saved_bytes"],
            "extension_processes": mshare["extension"]["processes"]}


def _compared(runs, row):
    """A comparison, of the rounds that both have."""
    def value(config, number):
        return next((r.get(row["metric"]) for r in runs if (r["set"], r["config"], r["workload"], r["round"]) == (
            row["set"], config, row["workload"], number)), None)

    pairs = [(value("stock", n), value(row["config"], n)) for n in sorted({r["round"] for r in runs})]
    pairs = [pair for pair in pairs if all(pair)]
    sides = {"stock": [a for a, _ in pairs], "other": [b for _, b in pairs], "ratio": [round(a / b, 4) for a, b in pairs]}
    return {**row, **{side: {"values": values, "median": statistics.median(values), "min": min(values), "max": max(values)}
                      for side, values in sides.items()}}


def _differences(what, said, found):
    """Texts on what is not the same in two dictionaries."""
    return [f"{what}: {name}: the summary says {said.get(name)!r}, the raw files {found.get(name)!r}"
            for name in {**said, **found} if said.get(name) != found.get(name)]


def untraced(directory):
    """What of a summary is not what its raw files say: a list of texts, empty if all is."""
    directory = pathlib.Path(directory)
    summary = json.loads((directory / "summary.json").read_text())
    runs = [run_from(directory, run["raw"]) for run in summary["runs"]]
    wrong = []
    for said, found in zip(summary["runs"], runs):
        wrong += _differences(said["raw"], said, found)
    for row in summary["comparisons"]:
        wrong += _differences(f"{row['config']} {row['workload']} {row['metric']}", row, _compared(runs, row))
    for saved in summary["all_savings"]:
        wrong += _differences(f"savings of {saved['set']}", saved, _saving(runs, saved["set"]))
    largest = max(summary["all_savings"], key=lambda s: s["clients"], default=None)
    wrong += _differences("savings", summary["savings"] or {}, largest or {})
    for of_set in summary["sets"]:
        wrong += _machine(directory, of_set, [run for run in runs if run["set"] == of_set["name"]])
    return wrong


def _machine(directory, of_set, runs):
    """The machine's numbers."""
    for run in runs:
        raw = directory / run["raw"]
        found = {"cpus": json.loads((raw / "context.json").read_text())["cpus"]}
        if (raw / "meminfo.txt").exists():
            found["memory_bytes"] = _kb(raw / "meminfo.txt", "MemTotal")
        said = {name: of_set["machine"][name] for name in found}
        if said != found:
            return _differences(f"machine of {of_set['name']}", said, found)
    return []
