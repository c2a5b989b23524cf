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
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def _map(file, size):
    address = _libc.mmap(_ADDRESS, size, mmap.PROT_READ | mmap.PROT_WRITE,
                         mmap.MAP_SHARED | _NORESERVE | _FIXED_NOREPLACE, file, 0)
    if address != _ADDRESS:
        raise OSError(ctypes.get_errno(), "mmap")


def _touch(address):
    ctypes.c_char.from_address(address).value = b"x"


def _warm_up():
    """What a process does later, with one ordinary page.

    fork does not copy the tables of a program's text: those of what runs for the first time would be taken for tables
    of the huge pages.
    """
    file = os.memfd_create("shared-pmds-warm-up")
    os.ftruncate(file, mmap.PAGESIZE)
    _map(file, mmap.PAGESIZE)
    _touch(_ADDRESS)
    if _libc.munmap(_ADDRESS, mmap.PAGESIZE) != 0:
        raise OSError(ctypes.get_errno(), "munmap")
    os.close(file)


def _process(file):
    """A process that is ready, when told to maps and touches all, and waits, and says each: (pid, to it, from it)."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(to_read)
        os.close(from_write)
        return pid, to_write, from_read
    try:
        _warm_up()
        os.write(from_write, b"r")
        os.read(to_read, 1)
        _map(file, GBS * GB)
        for number in range(GBS):
            _touch(_ADDRESS + number * GB)
        os.write(from_write, b"x")
        # Not by anything that has not run before: the parent looks meanwhile.
        os.read(to_read, 1)
    finally:
        os._exit(1)


def _expect(said, processes):
    """Wait until each of them has said it."""
    for _, _, from_read in processes:
        if os.read(from_read, 1) != said:
            raise OSError("a process died")


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
        _expect(b"r", processes)
        before, own = _page_tables(), sum(p.vmpte_bytes for p in procfs.read_processes(pids))
        for process in processes:
            os.write(process[1], b"x")
            _expect(b"x", [process])
        return {"vmpte_bytes": sum(p.vmpte_bytes for p in procfs.read_processes(pids)) - own,
                "page_tables_bytes": _page_tables() - before}
    finally:
        for pid, to_write, from_read in processes:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(to_write)
            os.close(from_read)
        os.close(file)
