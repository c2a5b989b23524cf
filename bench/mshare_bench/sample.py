# SPDX-License-Identifier: PostgreSQL
"""What N connected backends cost at one moment."""

import dataclasses
import json
import time

from . import layout, procfs
from .errors import BenchError
from .units import KB

# Between our look at the server and the extension's, a backend may have got a page table or two.
_SLACK = 64 * KB
# To find all processes of the server alive, and counted by the extension.
_TRIES = 100


@dataclasses.dataclass(frozen=True)
class Sample:
    """All that a result needs, read while the clients are connected."""
    page_tables_bytes: int
    mem_available_bytes: int
    processes: list
    region: dict | None
    extension: dict

    @property
    def vmpte_bytes(self):
        """Page tables that the backends do not share."""
        return sum(p.vmpte_bytes for p in self.processes)

    @property
    def minor_faults(self):
        """Faults of the backends since they were started."""
        return sum(p.minor_faults for p in self.processes)

    def figures(self, baseline):
        """The fields of a run that come from it; baseline is PageTables without a server."""
        region = self.region or {"page_table_bytes": 0}
        return {"page_tables_bytes": self.page_tables_bytes - baseline,
                "backend_vmpte_bytes": self.vmpte_bytes,
                "region_page_table_bytes": region["page_table_bytes"],
                "backend_minor_faults": self.minor_faults,
                "mem_available_bytes": self.mem_available_bytes,
                "extension": self.extension}


def read_region(monitor):
    """The region of the main shared memory: {name: number}, None without one."""
    names = ("region_bytes", "mapped_bytes", "resident_bytes", "page_table_bytes",
             "windows", "links")
    row = monitor.rows(f"SELECT {', '.join(names)} FROM pg_mshare_region()")[0]
    return dict(zip(names, map(int, row))) if row[0] else None


def read_savings(monitor):
    """What pg_mshare_savings says of the whole server, with the names that it has in a run; None for null."""
    names = ("processes", "page_tables_private", "page_tables_shared", "page_tables", "unshared_worst",
             "unshared_measured", "saved", "ratio")
    row = monitor.rows(f"SELECT {', '.join(names)} FROM pg_mshare_savings")[0]
    found = {name: int(value) if value else None for name, value in zip(names[:-1], row)}
    return {**{name if name == "processes" else f"{name}_bytes": value for name, value in found.items()},
            "ratio": round(float(row[-1]), 3) if row[-1] else None}


def check_savings(extension, server, region):
    """An error unless the extension says what we see: page tables of the server's processes, and of the region."""
    own = sum(process.vmpte_bytes for process in server)
    shared = region["page_table_bytes"] if region else 0
    if extension["processes"] != len(server):
        raise BenchError(f"pg_mshare_savings counts {extension['processes']} processes, and there are {len(server)}")
    for what, said, seen in (("page tables of processes", extension["page_tables_private_bytes"], own),
                             ("shared page tables", extension["page_tables_shared_bytes"], shared)):
        if abs(said - seen) > seen / 100 + _SLACK:
            raise BenchError(f"pg_mshare_savings says {said} bytes of {what}, and it is {seen}")


def _whole_server(context):
    """(its processes, what the extension says of them); backends of the workload before may still be on their way out."""
    for _ in range(_TRIES):
        pids = [context.server.pid, *procfs.children(context.server.pid)]
        found, extension = [procfs.read_process(pid) for pid in pids], read_savings(context.monitor)
        if all(found) and extension["processes"] == len(found):
            break
        time.sleep(0.1)
    return list(filter(None, found)), extension


def take(pids, context):
    """Read everything that a result needs, and keep it."""
    monitor, raw = context.monitor, context.raw
    server, extension = _whole_server(context)
    text = procfs.meminfo_text()
    sample = Sample(page_tables_bytes=procfs.parse_kb_fields(text)["PageTables"],
                    mem_available_bytes=procfs.parse_kb_fields(text)["MemAvailable"],
                    processes=procfs.read_processes(pids),
                    region=read_region(monitor), extension=extension)
    raw.write("meminfo.txt", text)
    raw.write_processes("backends.tsv", sample.processes)
    raw.write_processes("server.tsv", server)
    raw.write("region.json", f"{json.dumps(sample.region)}\n")
    raw.write("savings.json", f"{json.dumps(sample.extension)}\n")
    kept = {name: (procfs.PROC / str(pids[0]) / name).read_text() for name in ("status", "maps", "stat")}
    for name, text in kept.items():
        raw.write(f"backend-{name}.txt", text)
    raw.write(layout.FILE, layout.text_of(layout.own(pids[0], kept["maps"])))
    check_savings(sample.extension, server, sample.region)
    return sample
