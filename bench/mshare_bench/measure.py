# SPDX-License-Identifier: PostgreSQL
"""Measures a set on the running kernel: its configurations in turn, round by round, on the same data."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import tempfile
import time

from . import commands, configs, hugepages, pgbench, plan, procfs, redirect, sample, workloads
from .errors import BenchError, UsageError
from .kernel_log import KernelLog
from .raw import Raw
from .sampler import Sampler
from .server import (DATABASE, MONITOR_DATABASE, SPARE_CONNECTIONS, Server,
                     wait_for_end)
from .session import Session
from .signals import deferred
from .staging import Staged

# Everything, the data directory too, lies in memory: disks are not measured.
SCRATCH = pathlib.Path("/dev/shm")
BASE_PAGE = os.sysconf("SC_PAGESIZE")


@dataclasses.dataclass(frozen=True)
class Table:
    """The accounts table: pgbench chooses rows, its script needs the size."""
    rows: int
    nbytes: int


def check_machine(sets):
    """Whether this machine can measure at all, before anything is done; refusals are another matter."""
    commands.account()
    commands.raise_file_limit(max(what.clients for what in sets) + pgbench.SPARE_FILES)
    free = shutil.disk_usage(SCRATCH).free
    needed = max(pgbench.data_bytes(what.shared_buffers) for what in sets)
    if free < needed:
        raise UsageError(f"{SCRATCH} has {free >> 20} MB free and the data directory takes {needed >> 20} MB: "
                         "mount it with a larger size, or use smaller --shared-buffers")


class Bench:
    """One set: the cluster it runs on, and what it has found so far.

    found is told after each run, so that what is measured is kept whatever comes.
    """

    def __init__(self, what, names, places, progress, out, found):
        self.set = what
        self.names = names
        self.places = places
        self.progress = progress
        self.out = out
        self.found = found

    def run(self):
        """Measure everything; results and errors go to found."""
        with self.progress.within(f"set {self.set.name}"), contextlib.ExitStack() as stack:
            with deferred():
                # The number tells whose it is while several benchmarks run.
                scratch = tempfile.mkdtemp(prefix=f"mshare-bench-{os.getpid()}-", dir=SCRATCH)
                stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            commands.give_to_server(scratch)
            self.server = Server(self.places.bindir, scratch)
            stack.push(self._undo)
            self.kernel_log = KernelLog()
            stack.callback(self.kernel_log.close)
            self.staged = Staged(self.places, pathlib.Path(scratch),
                                 any(configs.BY_NAME[name].preload for name in self.names))
            self._make_cluster()
            for number in range(1, self.set.rounds + 1):
                with self.progress.within(f"round {number}"):
                    for name in self.names:
                        self._run_config(configs.BY_NAME[name], number)

    def _undo(self, *_exception):
        """However it ended: no server is left."""
        with deferred():
            self.server.destroy()

    def _make_cluster(self):
        scale = pgbench.scale_for(self.set.shared_buffers)
        with self.progress.step("initdb"):
            self.server.create()
        with self.progress.step(f"loading pgbench's tables, scale {scale}"):
            self.server.start(self._settings(configs.BY_NAME[configs.STOCK]))
            with contextlib.closing(Session(self.server, MONITOR_DATABASE)) as session:
                session.script(f"CREATE DATABASE {DATABASE}")
            pgbench.load(self.server, scale)
            with contextlib.closing(Session(self.server, DATABASE)) as session:
                session.script(f"CREATE EXTENSION pg_prewarm; {self.staged.script}")
            self.server.stop()

    def _settings(self, config):
        return {"max_connections": self.set.clients + SPARE_CONNECTIONS,
                "shared_buffers": f"{self.set.shared_buffers // 1024}kB",
                "shared_memory_type": self.set.shared_memory_type, **config.settings}

    def _workloads(self, number):
        """Those of a round, in their order."""
        return [name for name in workloads.NAMES if name in self.set.workloads
                and (number == 1 or name not in workloads.ONCE)]

    def _run_config(self, config, number):
        """All workloads under a configuration; an error ends it, not the others."""
        missing = self._workloads(number)
        try:
            with self.progress.within(f"configuration {config.name}"):
                self._measure_config(config, number, missing)
        except hugepages.Refused as refused:
            self.found.refuse(self.set, config.name, number, str(refused))
            self.progress.say(f"REFUSED: {config.name}: {refused}")
        except BenchError as error:
            self._record(config, number, missing, error)
            with deferred():
                self.server.destroy()

    def _record(self, config, number, missing, error):
        """An error instead of a number, or of all of them if it came after the last."""
        workload = missing[0] if missing else "stopping the server"
        if not missing:
            self.found.drop(self.set, config.name, number)
        log = error.log
        if log in (None, self.server.log):
            log = self._raw(config, number).keep(self.server.log)
        self.found.error(self.set, config.name, workload, number, str(error), log)
        self.progress.say(f"NOT MEASURED: {config.name}, {workload}: {error}")

    def _raw(self, config, number, *more):
        return Raw(self.out / "raw" / self.set.name / "-".join((f"{config.name}-{number}", *more)))

    def _measure_config(self, config, number, missing):
        with self.progress.step("waiting for page tables to settle"):
            baseline = procfs.settle_page_tables()
        settings = self._settings(config)
        with hugepages.provided(config, self.server, settings), self._running(config, number, settings) as monitor:
            shared = self._warm(config, monitor)
            samples = self._raw(config, number).path("samples.tsv")
            with Sampler(samples, self.server.pid) as sampler:
                while missing:
                    sampler.workload = missing[0]
                    with self.progress.within(f"workload {missing[0]}"):
                        run = self._measure(config, number, missing[0], monitor, baseline, shared)
                    sampler.check()
                    self.found.run(run)
                    del missing[0]
                    sampler.workload = "-"

    @contextlib.contextmanager
    def _running(self, config, number, settings):
        """The server of a configuration, and a session for questions."""
        raw = self._raw(config, number)
        with self.progress.step("starting the server"):
            self.server.start(settings, config.environment(self.staged.preload))
        with contextlib.closing(Session(self.server, DATABASE)) as monitor:
            raw.write("postmaster-maps.txt",
                      (procfs.PROC / str(self.server.pid) / "maps").read_text())
            self._check_redirect(config, sample.read_region(monitor))
            self._check_backend(config, monitor)
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
        if config.once and not (windows and region):
            raise BenchError("the server under the preload library has no msharefs "
                             "window; its log says why", self.server.log)
        if not config.once and windows:
            raise BenchError(f"the server of {config.name} has an msharefs window; is the library "
                             "in /etc/ld.so.preload?", self.server.log)

    def _check_backend(self, config, monitor):
        """A backend that was asked for must be the one that is used: the library falls back without a word to us."""
        if not config.backend:
            return
        used = monitor.value("SELECT backend FROM pg_mshare_regions WHERE object = 'main memory'")
        if used != config.backend:
            raise BenchError(f'{config.name}: shared memory comes from "{used}", not from "{config.backend}"; '
                             "the server log says why", self.server.log)

    def _warm(self, config, monitor):
        """Data into shared buffers, all pages made; returns the memory's bytes."""
        with self.progress.step("prewarming the accounts table"):
            monitor.rows("SELECT pg_prewarm('pgbench_accounts'), "
                         "pg_prewarm('pgbench_accounts_pkey')")
            pages = int(monitor.value("SELECT pg_mshare_touch()"))
        hugepages.check(config, procfs.meminfo_text())
        rows, nbytes = monitor.rows("SELECT max(aid), pg_relation_size("
                                    "'pgbench_accounts') FROM pgbench_accounts")[0]
        self.table = Table(int(rows), int(nbytes))
        return pages * BASE_PAGE

    def _measure(self, config, number, workload, monitor, baseline, shared):
        """One workload under one configuration: a row of the summary.

        baseline is PageTables without a server, shared the size of the server's memory.
        """
        raw = self._raw(config, number, workload)
        start = time.monotonic()
        context = workloads.Context(self.server, monitor, self.set, self.table, self.places.connect_hold(),
                                    self.progress, raw)
        found, figures = workloads.ALL[workload](context)
        end = time.monotonic()
        raw.write("context.json", json.dumps({
            "page_tables_without_server_bytes": baseline, "shared_memory_bytes": shared, "started": start, "ended": end,
            "cpus": os.cpu_count()}) + "\n")
        self.server.check_log()
        self.kernel_log.check(raw)
        if found:
            self._check_sample(config, found)
            figures = {**found.figures(baseline), **figures}
        figures = {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
        return {"set": self.set.name, "config": config.name, "workload": workload, "round": number,
                "clients": self.set.clients, "shared_buffers_bytes": self.set.shared_buffers,
                "shared_memory_type": self.set.shared_memory_type, "shared_memory_bytes": shared, **figures,
                "seconds": round(end - start, 1), "raw": str(raw.directory.relative_to(self.out))}

    def _check_sample(self, config, found):
        if len(found.processes) != self.set.clients:
            raise BenchError(f"{len(found.processes)} backends were sampled instead "
                             f"of {self.set.clients}", self.server.log)
        if config.once and found.region["links"] < self.set.clients:
            raise BenchError(f"only {found.region['links']} processes use the region's "
                             "page tables", self.server.log)


def holdable(what, available):
    """(configurations that can be measured with so many bytes, refusals of the others)."""
    refusals = {name: plan.refusal(what, name, available) for name in what.configs}
    return [name for name in what.configs if not refusals[name]], list(filter(None, refusals.values()))
