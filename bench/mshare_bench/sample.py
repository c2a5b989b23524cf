# SPDX-License-Identifier: PostgreSQL
"""What N connected backends cost at one moment."""

import dataclasses

from . import procfs


@dataclasses.dataclass(frozen=True)
class Sample:
    """All that a result needs, read while the clients are connected."""
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

    def figures(self, baseline):
        """The fields of a run that come from it; baseline is PageTables without a server."""
        region = self.region or {"page_table_bytes": 0}
        return {"page_tables_bytes": self.page_tables_bytes - baseline,
                "backend_vmpte_bytes": self.vmpte_bytes,
                "region_page_table_bytes": region["page_table_bytes"],
                "backend_minor_faults": self.minor_faults,
                "mem_available_bytes": self.mem_available_bytes}


def read_region(monitor):
    """The region of the main shared memory: {name: number}, None without one."""
    names = ("region_bytes", "mapped_bytes", "resident_bytes", "page_table_bytes",
             "windows", "links")
    row = monitor.rows(f"SELECT {', '.join(names)} FROM pg_mshare_region()")[0]
    return dict(zip(names, map(int, row))) if row[0] else None


def take(pids, monitor, raw):
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
