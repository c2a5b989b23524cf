# SPDX-License-Identifier: PostgreSQL
"""What /proc tells of memory and of processes.

The parsers take text, so that they can be tested on stored files.
"""

import dataclasses
import pathlib
import re
import time

from .errors import BenchError
from .units import KB

PROC = pathlib.Path("/proc")

# What other processes of the machine may add or give back meanwhile.
_SETTLED = 512 * KB


@dataclasses.dataclass(frozen=True)
class Process:
    """The costs of one process that we record."""
    pid: int
    vmpte_bytes: int
    minor_faults: int
    rss_bytes: int


def parse_kb_fields(text):
    """{name: bytes} of the "Name:  123 kB" lines of meminfo or status."""
    pairs = re.findall(r"^(\S+):\s+(\d+) kB$", text, re.MULTILINE)
    return {name: int(kb) * KB for name, kb in pairs}


def parse_counts(text):
    """{name: number} of the "Name:  123" lines of meminfo, which have no unit."""
    return {name: int(n) for name, n in re.findall(r"^(\S+):\s+(\d+)$", text, re.MULTILINE)}


def parse_vmstat(text):
    """{name: number} of /proc/vmstat."""
    return {name: int(n) for name, n in re.findall(r"^(\S+) (\d+)$", text, re.MULTILINE)}


def minor_faults():
    """Minor faults of all processes since the machine was started."""
    found = parse_vmstat((PROC / "vmstat").read_text())
    return found["pgfault"] - found["pgmajfault"]


def parse_minor_faults(text):
    """Field 10 of /proc/PID/stat; the command name may hold anything."""
    return int(text.rpartition(")")[2].split()[7])


def read_parent(pid):
    """The process that a process has as its parent."""
    return parse_parent((PROC / str(pid) / "stat").read_text())


def parse_parent(text):
    """Field 4 of /proc/PID/stat."""
    return int(text.rpartition(")")[2].split()[1])


def meminfo_text():
    """All of /proc/meminfo, to be kept as a raw file."""
    return (PROC / "meminfo").read_text()


def meminfo(name):
    """One value of /proc/meminfo in bytes."""
    return parse_kb_fields(meminfo_text())[name]


def parse_segments(text):
    """[{column: number}] of /proc/sysvipc/shm, sizes in bytes; the digits of perms are octal ones."""
    rows = [line.split() for line in text.splitlines()]
    return [dict(zip(rows[0], map(int, row))) for row in rows[1:]]


def segments():
    """All SysV segments of the machine, as parse_segments() has them."""
    return parse_segments((PROC / "sysvipc/shm").read_text())


def read_process(pid):
    """The Process, or None if it has gone."""
    try:
        status = (PROC / str(pid) / "status").read_text()
        stat = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = parse_kb_fields(status)
    if "VmPTE" not in fields:       # a zombie has no memory any more
        return None
    return Process(pid, fields["VmPTE"], parse_minor_faults(stat),
                   fields["VmRSS"])


def read_processes(pids):
    """All of the processes; it is an error if one of them has gone."""
    processes = [read_process(pid) for pid in pids]
    gone = [pid for pid, process in zip(pids, processes) if process is None]
    if gone:
        raise BenchError(f"{len(gone)} of {len(pids)} backends died before they "
                         f"could be sampled, the first has pid {gone[0]}")
    return processes


def children(parent):
    """Process ids of a process's children.

    The kernel's own list, which does not wait for the memory lock of busy
    processes as their cmdline would.
    """
    try:
        lists = [path.read_text() for path in (PROC / str(parent) / "task").glob("*/children")]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(word) for text in lists for word in text.split()]


def is_settled(values, count, tolerance):
    """Whether the last count values lie within tolerance of each other."""
    last = values[-count:]
    return len(last) == count and max(last) - min(last) <= tolerance


def settle_page_tables(timeout=180):
    """Wait until PageTables stands still; returns it in bytes.

    The kernel frees the page tables of processes that have exited some
    seconds later, and up to then they would be counted for the next run.
    """
    values = []
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        values.append(meminfo("PageTables"))
        if is_settled(values, 4, max(_SETTLED, values[-1] // 200)):
            return values[-1]
        time.sleep(1)
    raise BenchError(f"PageTables of /proc/meminfo did not settle in {timeout} s; "
                     "is something else running on this machine?")
