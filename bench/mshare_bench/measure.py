# SPDX-License-Identifier: PostgreSQL
"""Measures on the running kernel: each configuration in turn, on the same data."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import tempfile
import time

from . import commands, pgbench, procfs, redirect, workloads
from .errors import BenchError, UsageError
from .kernel_log import KernelLog
from .raw import Raw
from .server import (DATABASE, MONITOR_DATABASE, SPARE_CONNECTIONS, Server,
                     wait_for_end)
from .session import Session
from .signals import deferred
from .staging import Staged
from .units import GB, MB, format_size

# Everything, the data directory too, lies in memory: disks are not measured.
SCRATCH = pathlib.Path("/dev/shm")
WORKLOADS = (workloads.TOUCH_ALL, workloads.PGBENCH)
BASE_PAGE = os.sysconf("SC_PAGESIZE")

# Private memory of a backend (1.5 MB), its kernel stack and its client.
_BYTES_PER_CLIENT = 2 * MB


@dataclasses.dataclass(frozen=True)
class Table:
    """The accounts table: pgbench chooses rows, its script needs the size."""
    rows: int
    nbytes: int


def memory_needed(options):
    """Bytes of memory that a benchmark takes at its peak, with some room."""
    shared = options.shared_buffers * 21 // 20
    page_tables = options.clients * shared // 512
    return (shared + pgbench.data_bytes(options.shared_buffers) + page_tables
            + options.clients * _BYTES_PER_CLIENT + GB)


class Bench:
    """One benchmark: the cluster it runs on, and what it has found so far."""

    def __init__(self, options, places, progress):
        self.options = options
        self.places = places
        self.progress = progress
        self.runs = []
        self.errors = []

    def run(self):
        """Measure all configurations; fills runs and errors."""
        with self.progress.step("benchmark"), contextlib.ExitStack() as stack:
            scratch = tempfile.mkdtemp(prefix="mshare-bench-", dir=SCRATCH)
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            commands.give_to_server(scratch)
            self.server = Server(self.places.bindir, scratch)
            stack.push(self._undo)
            self.kernel_log = KernelLog()
            stack.callback(self.kernel_log.close)
            self.staged = Staged(self.places, pathlib.Path(scratch),
                                 self.options.configs)
            self._make_cluster()
            for config in self.options.configs:
                self._run_config(config)

    def _undo(self, *_exception):
        """However it ended: no server is left."""
        with deferred():
            self.server.destroy()

    def check_machine(self):
        """Whether this machine can do it, before anything is done."""
        if redirect.MSHARE in self.options.configs:
            redirect.prepare_kernel()
        commands.raise_file_limit(self.options.clients + pgbench.SPARE_FILES)
        needed, there = memory_needed(self.options), procfs.meminfo("MemAvailable")
        if there < needed:
            raise UsageError(f"{format_size(needed)} of memory are needed and "
                             f"{format_size(there)} are available: ask for fewer "
                             "clients or smaller --shared-buffers")
        free = shutil.disk_usage(SCRATCH).free
        if free < pgbench.data_bytes(self.options.shared_buffers):
            raise UsageError(f"{SCRATCH} has {format_size(free)} free, too little for "
                             "the data directory: mount it with a larger size")

    def _make_cluster(self):
        scale = pgbench.scale_for(self.options.shared_buffers)
        with self.progress.step("initdb"):
            self.server.create()
        with self.progress.step(f"loading pgbench's tables, scale {scale}"):
            self.server.start(self._settings())
            with contextlib.closing(Session(self.server, MONITOR_DATABASE)) as session:
                session.script(f"CREATE DATABASE {DATABASE}")
            pgbench.load(self.server, scale)
            with contextlib.closing(Session(self.server, DATABASE)) as session:
                session.script(f"CREATE EXTENSION pg_prewarm; {self.staged.script}")
            self.server.stop()

    def _settings(self):
        return {"max_connections": self.options.clients + SPARE_CONNECTIONS,
                "shared_buffers": f"{self.options.shared_buffers // 1024}kB",
                "shared_memory_type": self.options.shared_memory_type}

    def _run_config(self, config):
        """Both workloads under a configuration; an error ends it, not the others."""
        runs = []
        try:
            with self.progress.within(f"configuration {config}"):
                self._measure_config(config, runs)
        except BenchError as error:
            self._record(config, runs, error)
            with deferred():
                self.server.destroy()
        self.runs += runs

    def _record(self, config, runs, error):
        """An error instead of a number, or of all if it came after the last."""
        if len(runs) < len(WORKLOADS):
            missing = WORKLOADS[len(runs)]
        else:
            missing = "stopping the server"
            runs.clear()
        log = error.log
        if log in (None, self.server.log):
            log = self._raw(config).keep(self.server.log)
        self.errors.append({"config": config, "workload": missing,
                            "error": str(error), "log": str(log)})
        self.progress.say(f"NOT MEASURED: {config}, {missing}: {error}")

    def _raw(self, *names):
        return Raw(self.options.out / "raw" / "-".join(names))

    def _measure_config(self, config, runs):
        with self.progress.step("waiting for page tables to settle"):
            baseline = procfs.settle_page_tables()
        with self._running(config) as monitor:
            shared = self._warm(monitor)
            connect = {}
            for workload in WORKLOADS:
                with self.progress.within(f"workload {workload}"):
                    run = self._measure(config, workload, monitor, baseline, shared)
                # Connecting is measured once: nothing distinguishes the
                # workloads before their first query.
                connect = connect or {k: run[k] for k in run if k.startswith("connect")}
                runs.append({**run, **connect})

    @contextlib.contextmanager
    def _running(self, config):
        """The server of a configuration, and a session for questions."""
        raw = self._raw(config)
        with self.progress.step("starting the server"):
            self.server.start(self._settings(), self.staged.environment(config))
        with contextlib.closing(Session(self.server, DATABASE)) as monitor:
            raw.write("postmaster-maps.txt",
                      (procfs.PROC / str(self.server.pid) / "maps").read_text())
            self._check_redirect(config, workloads.read_region(monitor))
            yield monitor
        with self.progress.step("stopping the server"):
            pids = procfs.children(self.server.pid)
            self.server.stop()
            left = wait_for_end(pids, 60)
        raw.keep(self.server.log)
        if left:
            raise BenchError(f"{len(left)} processes outlived the server")
        self.server.check_log()
        self.kernel_log.check(raw)

    def _check_redirect(self, config, region):
        """What is measured must be what it is called."""
        windows = redirect.windows(
            (procfs.PROC / str(self.server.pid) / "maps").read_text(),
            redirect.mount_device())
        if config == redirect.STOCK and (windows or region):
            raise BenchError("the stock server has an msharefs window; is the library "
                             "in /etc/ld.so.preload?", self.server.log)
        if config == redirect.MSHARE and not (windows and region):
            raise BenchError("the server under the preload library has no msharefs "
                             "window; its log says why", self.server.log)

    def _warm(self, monitor):
        """Data into shared buffers, all pages made; returns the memory's bytes."""
        with self.progress.step("prewarming the accounts table"):
            monitor.rows("SELECT pg_prewarm('pgbench_accounts'), "
                         "pg_prewarm('pgbench_accounts_pkey')")
            pages = int(monitor.value("SELECT pg_mshare_touch()"))
        rows, nbytes = monitor.rows("SELECT max(aid), pg_relation_size("
                                    "'pgbench_accounts') FROM pgbench_accounts")[0]
        self.table = Table(int(rows), int(nbytes))
        return pages * BASE_PAGE

    def _measure(self, config, workload, monitor, baseline, shared):
        """One workload under one configuration: a row of the summary."""
        raw = self._raw(config, workload)
        start = time.monotonic()
        if workload == workloads.TOUCH_ALL:
            sample, figures = workloads.touch_all(
                self.server, monitor, self.options, self.places.connect_hold(),
                self.progress, raw)
        else:
            sample, figures = workloads.run_pgbench(
                self.server, monitor, self.options, self.table, self.progress, raw)
        seconds = time.monotonic() - start
        self.server.check_log()
        self.kernel_log.check(raw)
        self._check_sample(config, sample)
        return _row(config, workload, self.options, shared, baseline, sample,
                    {**figures, "seconds": seconds})

    def _check_sample(self, config, sample):
        if len(sample.processes) != self.options.clients:
            raise BenchError(f"{len(sample.processes)} backends were sampled instead "
                             f"of {self.options.clients}", self.server.log)
        if config == redirect.MSHARE and (
                sample.region["links"] < self.options.clients):
            raise BenchError(f"only {sample.region['links']} processes use the region's "
                             "page tables", self.server.log)


def _row(config, workload, options, shared, baseline, sample, figures):
    """A run in the fields of the summary."""
    region = sample.region or {"page_table_bytes": 0}
    return {"config": config, "workload": workload, "clients": options.clients,
            "shared_memory_bytes": shared,
            "page_tables_bytes": sample.page_tables_bytes - baseline,
            "backend_vmpte_bytes": sample.vmpte_bytes,
            "region_page_table_bytes": region["page_table_bytes"],
            "backend_minor_faults": sample.minor_faults,
            "connect_ms_median": figures.get("connect_ms_median"),
            "connect_all_s": figures.get("connect_all_s"),
            "tps": round(figures["tps"], 2),
            "latency_ms": round(figures["latency_ms"], 2),
            "mem_available_bytes": sample.mem_available_bytes,
            "seconds": round(figures["seconds"], 1)}
