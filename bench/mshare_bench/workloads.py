# SPDX-License-Identifier: PostgreSQL
"""The two workloads: pgbench's, and every backend touching all of the memory."""

import contextlib
import dataclasses
import os
import time

from . import pgbench, procfs
from .errors import BenchError
from .holder import Holder

TOUCH_ALL = "touch-all"
PGBENCH = "pgbench"

# Stuck means: not one more client got there for so long.
_STUCK_SECONDS = 300
# pgbench's clients run for a moment before their throughput counts.
_RAMP_SECONDS = 5


@dataclasses.dataclass(frozen=True)
class Sample:
    """What N connected backends cost at one moment."""
    page_tables_bytes: int
    mem_available_bytes: int
    processes: list
    region: dict | None

    @property
    def vmpte_bytes(self):
        """Page tables that the backends do not share."""
        return sum(p.vmpte_bytes for p in self.processes)

    @property
    def minor_faults(self):
        """Faults of the backends since they were started."""
        return sum(p.minor_faults for p in self.processes)


def read_region(monitor):
    """The region of the main shared memory: {name: number}, None without one."""
    names = ("region_bytes", "mapped_bytes", "resident_bytes", "page_table_bytes",
             "windows", "links")
    row = monitor.rows(f"SELECT {', '.join(names)} FROM pg_mshare_region()")[0]
    return dict(zip(names, map(int, row))) if row[0] else None


def take_sample(pids, monitor, raw):
    """Read everything that a result needs, and keep it."""
    text = procfs.meminfo_text()
    sample = Sample(page_tables_bytes=procfs.parse_kb_fields(text)["PageTables"],
                    mem_available_bytes=procfs.parse_kb_fields(text)["MemAvailable"],
                    processes=procfs.read_processes(pids),
                    region=read_region(monitor))
    raw.write("meminfo.txt", text)
    raw.write_processes("backends.tsv", sample.processes)
    raw.write("region.txt", f"{sample.region}\n")
    for name in ("status", "maps", "stat"):
        raw.write(f"backend-{name}.txt",
                  (procfs.PROC / str(pids[0]) / name).read_text())
    return sample


def touch_all(server, monitor, options, program, progress, raw):
    """Each of N backends reads a byte of every page; (Sample, figures)."""
    jobs = min(options.clients, 2 * os.cpu_count())
    with contextlib.ExitStack() as stack:
        with progress.step(f"connecting {options.clients} clients one by one"):
            holder = Holder(program, server, options.clients, raw)
            stack.callback(holder.close)
        with progress.step("touching all of shared memory in each backend"):
            touched = holder.run("SELECT pg_mshare_touch()", jobs)
        with progress.step("sampling"):
            sample = take_sample(holder.pids, monitor, raw)
            holder.run("SELECT 1", jobs)
        procfs.read_processes(holder.pids)
        figures = {"connect_ms_median": holder.connect_ms_median,
                   "connect_all_s": holder.connect_seconds,
                   "tps": options.clients / touched["seconds"],
                   "latency_ms": sum(touched["ms"]) / options.clients}
        # Disconnecting takes as long as the page tables are large.
        with progress.step("disconnecting"):
            stack.close()
    return sample, figures


def run_pgbench(server, monitor, options, table, progress, raw):
    """N clients of pgbench, sampled once they have converged; (Sample, figures)."""
    with contextlib.ExitStack() as stack:
        with progress.step(f"connecting {options.clients} pgbench clients, "
                           "converging"):
            monitor.value(f"SELECT pg_advisory_lock({pgbench.BARRIER})")
            run = pgbench.Pgbench(server, options.clients, os.cpu_count(), table, raw)
            stack.callback(run.close)
            _wait_for_clients(monitor, pgbench.CONVERGED, options.clients, run)
            monitor.value(f"SELECT pg_advisory_unlock({pgbench.BARRIER})")
            pids = _wait_for_clients(monitor, pgbench.RUNNING, options.clients, run)
        with progress.step("running pgbench"):
            time.sleep(_RAMP_SECONDS)
            start = time.time()
            time.sleep(options.seconds)
            end = time.time()
        with progress.step("sampling"), run.paused():
            sample = take_sample(pids, monitor, raw)
            run.check()
            if _clients(monitor, pgbench.RUNNING) != pids:
                raise BenchError("clients of pgbench were lost while sampling",
                                 run.log)
        with progress.step("disconnecting"):
            run.finish()
    tps, latency = pgbench.throughput(pgbench.parse_progress(run.text()), start, end)
    return sample, {"tps": tps, "latency_ms": latency}


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
