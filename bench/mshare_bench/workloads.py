# SPDX-License-Identifier: PostgreSQL
"""The workloads: what the clients of a server do while it is measured.

Each is a function of a Context that returns (Sample or None, figures); the
figures become fields of the run in summary.json, as they are called here.
"""

import contextlib
import dataclasses
import math
import os
import pathlib
import statistics
import time

from . import pgbench, procfs, sample
from .errors import BenchError
from .holder import Holder

# Stuck means: not one more client got there for so long.
_STUCK_SECONDS = 300
# A thousand clients need half a minute to get to speed: throughput counts once it
# has stopped rising from one span of at most so long to the next.
_RAMP_SPAN_SECONDS = 10
# Of pgbench's reports, for a throughput to be worth anything.
_LEAST_INTERVALS = 5
# Connections under way at the same time in a storm: below the backlog of the server's socket.
_STORM_JOBS = 64
# Fresh backends whose first query is timed, one after the other.
_FRESH_BACKENDS = 20
_TOUCH = "SELECT pg_mshare_touch()"


@dataclasses.dataclass(frozen=True)
class Context:
    """What a workload works with; raw is its folder, table the accounts."""
    server: object
    monitor: object
    set: object
    table: object
    program: pathlib.Path
    progress: object
    raw: object


def percentile(values, share):
    """The smallest value that so large a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _ms(prefix, values):
    return {f"{prefix}_ms_median": round(statistics.median(values), 3),
            f"{prefix}_ms_p99": round(percentile(values, 0.99), 3)}


def _jobs(context):
    return min(context.set.clients, 2 * os.cpu_count())


def touch_all(context):
    """Each of N backends reads a byte of every page of shared memory."""
    clients = context.set.clients
    with contextlib.ExitStack() as stack:
        with context.progress.step(f"connecting {clients} clients one by one"):
            holder = Holder(context.program, context.server, clients, context.raw)
            stack.callback(holder.close)
        with context.progress.step("touching all of shared memory in each backend"):
            touched = holder.run(_TOUCH, _jobs(context))
        with context.progress.step("sampling"):
            found = sample.take(holder.pids, context)
            holder.run("SELECT 1", _jobs(context))
        procfs.read_processes(holder.pids)
        figures = {**_ms("connect", holder.connect_ms), "connect_all_s": holder.connect_seconds,
                   "tps": clients / touched["seconds"], "latency_ms": statistics.mean(touched["ms"])}
        # Disconnecting takes as long as the page tables are large.
        with context.progress.step("disconnecting"):
            stack.close()
    return found, figures


def storm(context):
    """N connects as fast as possible."""
    clients, jobs = context.set.clients, min(context.set.clients, _STORM_JOBS)
    with contextlib.ExitStack() as stack:
        with context.progress.step(f"connecting {clients} clients, {jobs} at the same time"):
            holder = Holder(context.program, context.server, clients, context.raw, jobs)
            stack.callback(holder.close)
        with context.progress.step("sampling"):
            found = sample.take(holder.pids, context)
        with context.progress.step("disconnecting"):
            stack.close()
    return found, {**_ms("connect", holder.connect_ms), "connect_all_s": holder.connect_seconds, "jobs": jobs}


def _fresh_backend(context, aid):
    """Times and faults of one: (connect ms, query ms, scan ms, faults of the scan, faults of a second one)."""
    holder = Holder(context.program, context.server, 1, context.raw)
    try:
        def faults():
            return procfs.read_processes(holder.pids)[0].minor_faults

        query = holder.run(f"SELECT abalance FROM pgbench_accounts WHERE aid = {aid}", 1)["ms"][0]
        # Loads the library of the function, which has faults of its own.
        holder.run("SELECT windows FROM pg_mshare_region()", 1)
        before = faults()
        scan = holder.run(_TOUCH, 1)["ms"][0]
        between = faults()
        holder.run(_TOUCH, 1)
        return holder.connect_ms[0], query, scan, between - before, faults() - between
    finally:
        holder.close()


def first_query(context):
    """What a fresh backend waits for on memory that has been faulted in: its first query, its first scan.

    The second scan has the faults of running a query, the first one those for
    shared memory as well.
    """
    step = max(1, context.table.rows // _FRESH_BACKENDS)
    with context.progress.step(f"{_FRESH_BACKENDS} fresh backends, one after the other"):
        found = [_fresh_backend(context, 1 + i * step) for i in range(_FRESH_BACKENDS)]
    connects, queries, scans, first, second = zip(*found)
    rows = "".join("\t".join(map(str, row)) + "\n" for row in found)
    context.raw.write("fresh.tsv", "connect_ms\tquery_ms\tscan_ms\tscan_minor_faults\trescan_minor_faults\n" + rows)
    own = statistics.median(second)
    return None, {**_ms("connect", connects), **_ms("query", queries), **_ms("scan", scans),
                  "scan_minor_faults": max(0, statistics.median(first) - own), "backends": _FRESH_BACKENDS}


def churn(context):
    """pgbench -C: a connection for each query."""
    clients = min(context.set.clients, 4 * os.cpu_count())
    with context.progress.step(f"reconnecting for each query, {clients} clients"):
        log = pgbench.reconnect(context.server, clients, os.cpu_count(), context.set.seconds, context.raw)
    tps, connect = pgbench.parse_reconnect(log)
    return None, {"tps": tps, "connect_ms_mean": connect, "jobs": clients}


def select_only(context):
    """N clients of pgbench that select rows, sampled once they have converged."""
    clients, monitor = context.set.clients, context.monitor
    with contextlib.ExitStack() as stack:
        with context.progress.step(f"connecting {clients} pgbench clients, converging"):
            monitor.value(f"SELECT pg_advisory_lock({pgbench.BARRIER})")
            run = pgbench.Pgbench(context.server, clients, os.cpu_count(), context.raw,
                                  pgbench.converging(context.table, context.raw))
            stack.callback(run.close)
            _wait_for_clients(monitor, pgbench.CONVERGED, clients, run)
            monitor.value(f"SELECT pg_advisory_unlock({pgbench.BARRIER})")
            pids = _wait_for_clients(monitor, pgbench.RUNNING, clients, run)
        return _measure_pgbench(context, run, pgbench.RUNNING, pids)


def tpcb(context):
    """N clients of pgbench with its transaction that is like TPC-B."""
    with contextlib.ExitStack() as stack:
        with context.progress.step(f"connecting {context.set.clients} pgbench clients"):
            run = pgbench.Pgbench(context.server, context.set.clients, os.cpu_count(), context.raw,
                                  ["-b", "tpcb-like"])
            stack.callback(run.close)
            pids = _wait_for_clients(context.monitor, pgbench.NAME, context.set.clients, run)
        return _measure_pgbench(context, run, pgbench.NAME, pids)


def _measure_pgbench(context, run, name, pids):
    """Throughput of a pgbench whose clients are all at work, and a Sample of their backends."""
    with context.progress.step("waiting for pgbench's throughput to stop rising"):
        _wait_for_speed(run, min(context.set.seconds, _RAMP_SPAN_SECONDS))
    with context.progress.step("running pgbench"):
        start = time.time()
        intervals = _wait_for_intervals(run, start, context.set.seconds)
    with context.progress.step("sampling"), run.paused():
        found = sample.take(pids, context)
        run.check()
        if _clients(context.monitor, name) != pids:
            raise BenchError("clients of pgbench were lost while sampling", run.log)
    with context.progress.step("disconnecting"):
        run.finish()
    # Up to the last report that was read: more come while we sample.
    tps, latency = pgbench.throughput(intervals)
    context.raw.write("window.txt", f"{start!r} {intervals[-1][1].time!r}\n")
    rates = [interval.tps for _, interval in intervals]
    return found, {"tps": tps, "latency_ms": latency, "tps_min": min(rates), "tps_max": max(rates)}


def _wait_for_speed(run, span):
    """Wait until throughput has stopped rising, from one span of so many seconds to the next."""
    start = time.time()
    while pgbench.is_rising(pgbench.parse_progress(run.text()), start, span):
        if time.time() - start > _STUCK_SECONDS:
            raise BenchError(f"pgbench's throughput still rises after {_STUCK_SECONDS} s", run.log)
        time.sleep(1)
        run.check()


def _wait_for_intervals(run, start, seconds):
    """So many seconds of pgbench's reports, or more if it is too busy to report every second."""
    while True:
        time.sleep(1)
        run.check()
        now = time.time()
        intervals = pgbench.inside(pgbench.parse_progress(run.text()), start, now)
        enough = len(intervals) >= _LEAST_INTERVALS and any(interval.tps for _, interval in intervals)
        if now - start >= seconds and (enough or now - start > _STUCK_SECONDS):
            return intervals


def _clients(monitor, name):
    """Backends whose client calls itself so."""
    rows = monitor.rows("SELECT pid FROM pg_stat_activity "
                        f"WHERE application_name = '{name}' ORDER BY pid")
    return [int(row[0]) for row in rows]


def _wait_for_clients(monitor, name, clients, run):
    """Wait until every client calls itself so; returns their backends."""
    most, since = -1, time.monotonic()
    while True:
        run.check()
        pids = _clients(monitor, name)
        if len(pids) == clients:
            return pids
        if len(pids) > most:
            most, since = len(pids), time.monotonic()
        if time.monotonic() - since > _STUCK_SECONDS:
            raise BenchError(f'only {most} of {clients} clients got to "{name}", and '
                             f"no more for {_STUCK_SECONDS} s", run.log)
        time.sleep(1)


TOUCH_ALL, PGBENCH, TPCB, STORM, FIRST_QUERY, CHURN = "touch-all", "pgbench", "tpcb", "storm", "first-query", "churn"
# In the order in which they are run: the one that writes comes last.
ALL = {TOUCH_ALL: touch_all, STORM: storm, FIRST_QUERY: first_query, CHURN: churn, PGBENCH: select_only, TPCB: tpcb}
NAMES = tuple(ALL)
# Measures sizes, which do not vary: once is enough.
ONCE = (TOUCH_ALL,)
