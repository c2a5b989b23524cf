# SPDX-License-Identifier: PostgreSQL
"""Samples over time, so that growth is seen and not only where it ended.

A thread of its own reads /proc/meminfo and /proc/vmstat once a second.  The
processes' VmPTE takes a read for each of them; that is done as often as it
takes no more than a fiftieth of a processor's time.
"""

import pathlib
import threading
import time

from . import procfs

COLUMNS = ("time", "workload", "page_tables_bytes", "mem_available_bytes", "minor_faults", "processes",
           "vmpte_bytes")
_INTERVAL = 1.0
_SHARE = 50


class Sampler:
    """Writes samples.tsv while it is entered; workload names what is going on."""

    def __init__(self, path, postmaster):
        self.path = pathlib.Path(path)
        self.postmaster = postmaster
        self.workload = "-"
        self.error = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._next_sweep = 0.0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._end.set()
        self._thread.join()

    def check(self):
        """Raise what kept the thread from going on: a full disk, say."""
        if self.error:
            raise self.error

    def _run(self):
        try:
            with open(self.path, "w", encoding="utf-8") as file:
                file.write("\t".join(COLUMNS) + "\n")
                while not self._end.is_set():
                    file.write("\t".join(map(str, self._sample())) + "\n")
                    file.flush()
                    self._end.wait(_INTERVAL)
        except OSError as error:
            self.error = error

    def _sample(self):
        sizes = procfs.parse_kb_fields(procfs.meminfo_text())
        sweep = self._sweep() if time.monotonic() >= self._next_sweep else ("", "")
        return (f"{time.time():.2f}", self.workload, sizes["PageTables"], sizes["MemAvailable"],
                procfs.minor_faults(), *sweep)

    def _sweep(self):
        start = time.thread_time()
        found = [process for process in map(procfs.read_process, procfs.children(self.postmaster)) if process]
        self._next_sweep = time.monotonic() + _SHARE * (time.thread_time() - start)
        return len(found), sum(process.vmpte_bytes for process in found)


def read(path):
    """The samples of a file: a list of dictionaries, numbers where there are some."""
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    return [_row(dict(zip(COLUMNS, line.split("\t")))) for line in lines[1:] if line.count("\t") == len(COLUMNS) - 1]


def _row(row):
    for name in COLUMNS:
        if name == "time":
            row[name] = float(row[name])
        elif name != "workload":
            row[name] = int(row[name]) if row[name] else None
    return row
