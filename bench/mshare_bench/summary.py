# SPDX-License-Identifier: PostgreSQL
"""summary.json: what all sets of a benchmark have found, and the table of it for people.

summary.schema.json beside this file describes the format.
"""

import statistics

from . import configs, found, workloads
from .units import format_size

SCHEMA = 3
# What a report can be made of: 3 added what the extension says, and changed nothing.
READABLE = (2, 3)
NAME = "summary.json"

_ROWS = (
    ("page tables (whole system)", "page_tables_bytes", "bytes"),
    ("page tables of the backends", "backend_vmpte_bytes", "bytes"),
    ("page tables of the region", "region_page_table_bytes", "bytes"),
    ("minor faults of the backends", "backend_minor_faults", "number"),
    ("to connect, median", "connect_ms_median", "ms"),
    ("to connect, 99 of 100 within", "connect_ms_p99", "ms"),
    ("to connect, mean", "connect_ms_mean", "ms"),
    ("to connect all", "connect_all_s", "s"),
    ("first query, median", "query_ms_median", "ms"),
    ("first scan of shared memory, median", "scan_ms_median", "ms"),
    ("minor faults of that scan", "scan_minor_faults", "number"),
    ("tps", "tps", "number"),
    ("latency", "latency_ms", "ms"),
    ("memory available", "mem_available_bytes", "bytes"),
    ("duration of the run", "seconds", "s"),
)
# Of each workload, what is timed, and so compared in pairs: stock and another in the same round.
TIMED = {workloads.TOUCH_ALL: ("connect_all_s", "connect_ms_median"), workloads.STORM: ("connect_all_s", "connect_ms_p99"),
         workloads.FIRST_QUERY: ("query_ms_median", "scan_ms_median"), workloads.CHURN: ("tps", "connect_ms_mean"),
         workloads.PGBENCH: ("tps", "latency_ms"), workloads.TPCB: ("tps", "latency_ms")}


def find_run(runs, config, workload, number=1, of_set=None):
    """The run of a configuration and workload in a round, or None."""
    for run in runs:
        if (run["config"], run["workload"], run.get("round", 1)) == (config, workload, number) and (
                of_set in (None, run.get("set"))):
            return run
    return None


def savings(runs, of_set=None):
    """Page tables due to shared memory, stock and mshare; None without both.

    A backend has page tables of its own too.  Those are what is left under
    mshare, so the difference is what shared memory costs on a stock server.
    """
    stock = find_run(runs, configs.STOCK, workloads.TOUCH_ALL, of_set=of_set)
    mshare = find_run(runs, configs.MSHARE, workloads.TOUCH_ALL, of_set=of_set)
    if not stock or not mshare:
        return None
    paid = stock["backend_vmpte_bytes"] - mshare["backend_vmpte_bytes"]
    shared = mshare["region_page_table_bytes"]
    return {"workload": workloads.TOUCH_ALL, "set": mshare["set"], "clients": mshare["clients"],
            "sga_page_tables_stock_bytes": paid,
            "sga_page_tables_mshare_bytes": shared,
            "ratio": round(paid / shared, 1), **_by_extension(mshare)}


def _by_extension(run):
    """The saving as pg_mshare_savings has it, which knows one run only and counts all processes of the server."""
    said = run.get("extension")
    return {"extension_saved_bytes": said["saved_bytes"], "extension_processes": said["processes"]} if said else {}


def _spread(values):
    return {"values": values, "median": statistics.median(values), "min": min(values), "max": max(values)}


def _pairs(runs, of_set, config, workload, metric):
    """[(stock, other)] of the rounds that have both."""
    numbers = sorted({run["round"] for run in runs if run["set"] == of_set})
    pairs = [(find_run(runs, configs.STOCK, workload, n, of_set), find_run(runs, config, workload, n, of_set))
             for n in numbers]
    return [(a[metric], b[metric]) for a, b in pairs if a and b and a.get(metric) and b.get(metric)]


def comparisons(runs):
    """Times of every configuration against stock, paired by round, since the machine is not the same all the time."""
    rows = []
    for of_set in dict.fromkeys(run["set"] for run in runs):
        for config in dict.fromkeys(run["config"] for run in runs if run["set"] == of_set):
            if config == configs.STOCK:
                continue
            for workload, metrics in TIMED.items():
                for metric in metrics:
                    pairs = _pairs(runs, of_set, config, workload, metric)
                    if pairs:
                        rows.append({"set": of_set, "config": config, "workload": workload, "metric": metric,
                                     "stock": _spread([a for a, _ in pairs]), "other": _spread([b for _, b in pairs]),
                                     "ratio": _spread([round(a / b, 4) for a, b in pairs])})
    return rows


def build(states, more_errors=()):
    """The summary as a dictionary, of what the sets have found; "errors" is there only if there are any."""
    runs = [run for state in states for run in state["runs"]]
    errors = [error for state in states for error in state["errors"]] + list(more_errors)
    saved = list(filter(None, (savings(runs, state["set"]["name"]) for state in states)))
    result = {"schema": SCHEMA, "machine": next((s["machine"] for s in states if s["machine"]), {}),
              "sets": [{**state["set"], "complete": state["complete"], "machine": state["machine"]}
                       for state in states],
              "runs": runs, "refused": [row for state in states for row in state["refused"]],
              "comparisons": comparisons(runs),
              "savings": max(saved, key=lambda s: s["clients"], default=None), "all_savings": saved}
    if errors:
        result["errors"] = errors
    if not all(state["complete"] for state in states):
        result["incomplete"] = True
    return result


def write(directory, summary):
    """Write summary.json; never a half of one."""
    found.write_json(directory / NAME, summary)


def cell(run, key, kind):
    """A figure of a run, for people."""
    if run is None or run.get(key) is None:
        return "-"
    value = run[key]
    if kind == "bytes":
        return format_size(value)
    if kind == "number":
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:.1f} {kind}" if value >= 10 else f"{value:.2f} {kind}"


def _factor(runs, key):
    """How many times the first value is the second, where that says something."""
    if len(runs) != 2 or not all(run and run.get(key) for run in runs):
        return ""
    return f"{runs[0][key] / runs[1][key]:.2f}"


def _workload_lines(summary, of_set, workload):
    names = [name for name in of_set["configs"] if find_run(summary["runs"], name, workload, 1, of_set["name"])]
    runs = [find_run(summary["runs"], name, workload, 1, of_set["name"]) for name in names]
    if not runs:
        return []
    title = f"{workload}, {of_set['clients']} clients, {format_size(runs[0]['shared_memory_bytes'])} of shared memory"
    last = f"{'/'.join(names):>14}" if len(names) == 2 else ""
    lines = ["", f"{title:<48}" + "".join(f"{name:>16}" for name in names) + last]
    for label, key, kind in _ROWS:
        if any(key in run for run in runs):
            cells = "".join(f"{cell(run, key, kind):>16}" for run in runs)
            lines.append(f"  {label:<46}{cells}{_factor(runs, key):>14}".rstrip())
    return lines


def table(summary):
    """The summary for people."""
    machine = summary["machine"]
    lines = []
    if machine:
        lines = [f"{machine['postgres_version']}, Linux {machine['kernel']}, "
                 f"{machine['cpus']} x {machine['cpu']}, accel {machine['accel']}"]
    for of_set in summary["sets"]:
        for workload in workloads.NAMES:
            lines += _workload_lines(summary, of_set, workload)
    for saved in summary["all_savings"]:
        lines += ["", f"page tables due to shared memory, every page of it touched by all {saved['clients']} backends:",
                  f"  stock {format_size(saved['sga_page_tables_stock_bytes'])}, "
                  f"mshare {format_size(saved['sga_page_tables_mshare_bytes'])}: "
                  f"{saved['ratio']:.0f} times less"]
    for row in summary["refused"]:
        lines += ["", f"REFUSED: {row['set']}, {row['config']}: {row['reason']}"]
    for error in summary.get("errors", []):
        log = f" (see {error['log']})" if error.get("log") else ""
        lines += ["", f"NOT MEASURED: {error['set']}, {error['config']}, {error['workload']}: "
                  f"{error['error']}{log}"]
    return "\n".join(lines)
