# SPDX-License-Identifier: PostgreSQL
"""summary.json, and the table of what each configuration cost."""

import json

from .redirect import MSHARE, STOCK
from .units import format_size
from .workloads import PGBENCH, TOUCH_ALL

SCHEMA = 1
NAME = "summary.json"

_ROWS = (
    ("page tables (whole system)", "page_tables_bytes", "bytes"),
    ("page tables of the backends", "backend_vmpte_bytes", "bytes"),
    ("page tables of the region", "region_page_table_bytes", "bytes"),
    ("minor faults of the backends", "backend_minor_faults", "number"),
    ("to connect, median", "connect_ms_median", "ms"),
    ("to connect all", "connect_all_s", "s"),
    ("tps", "tps", "number"),
    ("latency", "latency_ms", "ms"),
    ("memory available", "mem_available_bytes", "bytes"),
    ("duration of the run", "seconds", "s"),
)


def find_run(runs, config, workload):
    """The run of a configuration and workload, or None."""
    for run in runs:
        if run["config"] == config and run["workload"] == workload:
            return run
    return None


def savings(runs):
    """Page tables due to shared memory, stock and mshare; None without both.

    A backend has page tables of its own too.  Those are what is left under
    mshare, so the difference is what shared memory costs on a stock server.
    """
    stock = find_run(runs, STOCK, TOUCH_ALL)
    mshare = find_run(runs, MSHARE, TOUCH_ALL)
    if not stock or not mshare:
        return None
    paid = stock["backend_vmpte_bytes"] - mshare["backend_vmpte_bytes"]
    shared = mshare["region_page_table_bytes"]
    return {"workload": TOUCH_ALL,
            "sga_page_tables_stock_bytes": paid,
            "sga_page_tables_mshare_bytes": shared,
            "ratio": round(paid / shared, 1)}


def build(machine, runs, errors):
    """The summary as a dictionary; "errors" is there only if there are any."""
    summary = {"schema": SCHEMA, "machine": machine, "runs": runs,
               "savings": savings(runs)}
    if errors:
        summary["errors"] = errors
    return summary


def write(directory, summary):
    """Write summary.json; never a half of one."""
    path = directory / NAME
    temporary = directory / (NAME + ".new")
    temporary.write_text(json.dumps(summary, indent=2) + "\n")
    temporary.rename(path)


def _cell(run, key, kind):
    if run is None:
        return "-"
    value = run[key]
    if kind == "bytes":
        return format_size(value)
    if kind == "number":
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:.1f} {kind}" if value >= 10 else f"{value:.2f} {kind}"


def _factor(stock, mshare, key):
    """How many times the stock value is the other, where that says something."""
    if not stock or not mshare or not stock[key] or not mshare[key]:
        return ""
    return f"{stock[key] / mshare[key]:.2f}"


def _workload_lines(runs, workload):
    stock = find_run(runs, STOCK, workload)
    mshare = find_run(runs, MSHARE, workload)
    some = stock or mshare
    if not some:
        return []
    title = (f"{workload}, {some['clients']} clients, "
             f"{format_size(some['shared_memory_bytes'])} of shared memory")
    lines = ["", f"{title:<48}{STOCK:>12}{MSHARE:>12}{'stock/mshare':>14}"]
    for label, key, kind in _ROWS:
        cells = [_cell(run, key, kind) for run in (stock, mshare)]
        lines.append(f"  {label:<46}{cells[0]:>12}{cells[1]:>12}"
                     f"{_factor(stock, mshare, key):>14}")
    return lines


def table(summary):
    """The summary for people."""
    machine = summary["machine"]
    lines = [f"{machine['postgres_version']}, Linux {machine['kernel']}, "
             f"{machine['cpus']} x {machine['cpu']}, accel {machine['accel']}"]
    for workload in (TOUCH_ALL, PGBENCH):
        lines += _workload_lines(summary["runs"], workload)
    saved = summary["savings"]
    if saved:
        lines += ["", "page tables due to shared memory, every page of it touched by "
                  "every backend:",
                  f"  stock {format_size(saved['sga_page_tables_stock_bytes'])}, "
                  f"mshare {format_size(saved['sga_page_tables_mshare_bytes'])}: "
                  f"{saved['ratio']:.0f} times less"]
    for error in summary.get("errors", []):
        log = f" (see {error['log']})" if error["log"] else ""
        lines += ["", f"NOT MEASURED: {error['config']}, {error['workload']}: "
                  f"{error['error']}{log}"]
    return "\n".join(lines)
