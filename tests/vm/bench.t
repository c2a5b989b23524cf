#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""bench.t - is a benchmark complete, and does it show what mshare is for?

Reads $bench_summary, the summary.json of a short run (mshare-bench --matrix smoke: 40 clients, 128 MB). The bounds are what sharing
must reach there whatever the machine; of times, emulation lets only a gross loss be seen.
"""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/regress"))
sys.dont_write_bytecode = True
import report_traces  # noqa: E402
import traces  # noqa: E402
from mshare_bench import configs, layout, model, procfs  # noqa: E402

COUNT = 0
FAILED = 0


def ok(passed, name, found):
    """One line of TAP, and what was found where that matters."""
    global COUNT, FAILED
    COUNT += 1
    FAILED += not passed
    print(f"{'ok' if passed else 'not ok'} {COUNT} - {name}", flush=True)
    if not passed:
        print(f"# found: {found}", flush=True)


def check_pair(stock, mshare):
    """Both configurations of one workload."""
    name = stock["workload"]
    region = mshare["region_page_table_bytes"]
    # 8 bytes a page, and the tables above them
    once = stock["shared_memory_bytes"] / 4096 * 8
    ok(stock["region_page_table_bytes"] == 0, f"{name}: stock has no region", stock)
    ok(0 < region < once * 1.02 + 65536, f"{name}: the region's page tables are paid once", region)
    for figure in ("page_tables_bytes", "backend_minor_faults"):
        ok(mshare[figure] < stock[figure], f"{name}: {figure}: less than stock", (mshare[figure], stock[figure]))
    # How fast, the report tells: in a few seconds of a busy machine it is a matter of luck.
    ok(min(stock["tps"], mshare["tps"]) > 0, f"{name}: transactions were done", (stock["tps"], mshare["tps"]))
    accounted = mshare["backend_vmpte_bytes"] + region
    ok(abs(accounted - mshare["page_tables_bytes"]) < 0.1 * mshare["page_tables_bytes"] + 4 * 2**20,
       f"{name}: PageTables is what backends and region have", (accounted, mshare["page_tables_bytes"]))


def check_shared_pages(stock, mshare):
    """
    What a backend pays under mshare is for its private memory, whatever part of the shared memory it works on: all workloads pay
    about the same. How much more stock pays in a given time depends on how fast the machine is, unless every page is touched.
    """
    faults = {workload: run["backend_minor_faults"] for workload, run in mshare.items()}
    ok(max(faults.values()) <= 1.2 * min(faults.values()), "faults under mshare do not depend on the shared pages touched", faults)
    for figure in ("page_tables_bytes", "backend_minor_faults"):
        pair = mshare["touch-all"][figure], stock["touch-all"][figure]
        ok(pair[0] * 2 < pair[1], f"touch-all: {figure}: less than half", pair)


def check_fresh(stock, mshare):
    """The first scan of a fresh backend on memory that has been faulted in."""
    if stock and mshare:
        faults = stock["scan_minor_faults"], mshare["scan_minor_faults"]
        ok(faults[1] <= 0.02 * faults[0], "first-query: at most 2 % of stock's faults on shared memory", faults)


def tables_of_one(directory, run):
    """
    (where a stock backend has shared memory, its page tables for that): those of the backend whose addresses were kept.
    Another's own memory may have taken a table more, and in the sum of all it would be taken for one for shared memory.
    """
    raw = directory / run["raw"]
    where, status = layout.of_run(raw), procfs.parse_kb_fields((raw / "backend-status.txt").read_text())
    return where, status["VmPTE"] - where.own_only * model.TABLE


def check_extension(directory, stock, mshare):
    """pg_mshare_savings and the benchmark agree; it counts all processes, the benchmark the clients' backends."""
    said = mshare["extension"]
    ok(said["page_tables_shared_bytes"] == mshare["region_page_table_bytes"],
       "the extension has the same shared page tables", mshare)
    # The first process pays, each other saves what a backend pays on stock. There, shared memory lies anywhere, and so may need
    # a table more of each level than in a region, which begins with one.
    where, measured = tables_of_one(directory, stock)
    moved = (model.stock(where.size, layout.PAGE, where.start).total(1) - model.stock(where.size, layout.PAGE, 0).total(1))
    saved = said["saved_bytes"] / (said["processes"] - 1)
    ok(saved == measured - moved, "the extension's saving for a process is what a stock backend pays for shared memory, to the table",
       (saved, measured, moved))


def check_model(directory, stock, mshare):
    """What arithmetic says of a backend's page tables, and of a region's, is what the kernel has, to the table."""
    where, measured = tables_of_one(directory, stock)
    predicted = (model.of_config(configs.BY_NAME["stock"], where.size, where.start).total(1),
                 model.of_config(configs.BY_NAME["mshare"], mshare["shared_memory_bytes"]).total(1))
    found = measured, mshare["region_page_table_bytes"]
    ok(found == predicted, "page tables are those that the model predicts", (found, predicted))


def check_traces(directory):
    """Every number can be traced to a raw file."""
    ok(not traces.untraced(directory), "every number of the summary is what the raw files say", traces.untraced(directory))
    found = report_traces.unexplained(directory)
    ok(not found, "every number of the report is one of the summary", found)


def main():
    """Check one summary."""
    path = pathlib.Path(os.environ["bench_summary"])
    summary = json.loads(path.read_text(encoding="utf-8"))
    runs = {(run["config"], run["workload"]): run for run in summary["runs"]}
    ok("errors" not in summary, "everything was measured", summary.get("errors"))
    for workload in ("touch-all", "pgbench", "tpcb"):
        pair = [runs.get((config, workload)) for config in ("stock", "mshare")]
        ok(all(pair), f"{workload}: measured with both", sorted(runs))
        if all(pair):
            check_pair(*pair)
    stock, mshare = ({workload: runs[config, workload] for workload in ("touch-all", "pgbench", "tpcb")
                      if (config, workload) in runs} for config in ("stock", "mshare"))
    if len(stock) == len(mshare) == 3:
        check_shared_pages(stock, mshare)
        check_model(path.parent, stock["touch-all"], mshare["touch-all"])
    for workload in ("storm", "first-query", "churn"):
        ok(all((config, workload) in runs for config in ("stock", "mshare")), f"{workload}: measured with both",
           sorted(runs))
    check_fresh(*(runs.get((config, "first-query")) for config in ("stock", "mshare")))
    check_traces(path.parent)
    saved = summary["savings"] or {"ratio": 0}
    if summary["savings"]:
        check_extension(path.parent, stock["touch-all"], mshare["touch-all"])
    wanted = 0.75 * max((run["clients"] for run in runs.values()), default=0)
    ok(saved["ratio"] >= wanted > 0, f"savings: at least {wanted:.0f} times", saved)
    print(f"1..{COUNT}")
    return int(FAILED > 0)


if __name__ == "__main__":
    sys.exit(main())
