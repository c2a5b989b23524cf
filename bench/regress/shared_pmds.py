# SPDX-License-Identifier: PostgreSQL
"""Processes that map hugetlb memory at whole GBs, and what that costs in page tables.

One huge page of each GB is touched, which takes a PMD table, so that GBS huge pages are enough.
"""

import ctypes
import mmap
import os
import signal
import statistics
import time

from tap_unittest import HERE  # noqa: F401, puts the package on the path
from mshare_bench import procfs
from mshare_bench.units import GB

GBS = 128
_NORESERVE, _FIXED_NOREPLACE = 0x4000, 0x100000
# A whole 512 GB of addresses where nothing else is.
_ADDRESS = 0x600000000000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]


def _map(file):
    address = _libc.mmap(_ADDRESS, GBS * GB, mmap.PROT_READ | mmap.PROT_WRITE,
                         mmap.MAP_SHARED | _NORESERVE | _FIXED_NOREPLACE, file, 0)
    if address != _ADDRESS:
        raise OSError(ctypes.get_errno(), "mmap")


def _process(file):
    """A process that waits, then maps and touches all, and waits: (pid, to it, from it)."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(to_read)
        os.close(from_write)
        return pid, to_write, from_read
    try:
        os.read(to_read, 1)
        _map(file)
        for number in range(GBS):
            ctypes.c_char.from_address(_ADDRESS + number * GB).value = b"x"
        os.write(from_write, b"x")
        signal.pause()
    finally:
        os._exit(1)


def _page_tables():
    """PageTables of the machine, where others come and go."""
    def one():
        time.sleep(0.2)
        return procfs.meminfo("PageTables")
    return statistics.median(one() for _ in range(9))


def measure(number):
    """What so many processes get when they touch it: {vmpte_bytes: by process, page_tables_bytes: of the machine}."""
    file = os.memfd_create("shared-pmds", os.MFD_HUGETLB)
    processes = []
    try:
        os.ftruncate(file, GBS * GB)
        processes += [_process(file) for _ in range(number)]
        pids = [pid for pid, _, _ in processes]
        time.sleep(2)
        before, own = _page_tables(), sum(p.vmpte_bytes for p in procfs.read_processes(pids))
        for _, to_write, from_read in processes:
            os.write(to_write, b"x")
            if os.read(from_read, 1) != b"x":
                raise OSError("a process died")
        return {"vmpte_bytes": sum(p.vmpte_bytes for p in procfs.read_processes(pids)) - own,
                "page_tables_bytes": _page_tables() - before}
    finally:
        for pid, to_write, from_read in processes:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(to_write)
            os.close(from_read)
        os.close(file)
