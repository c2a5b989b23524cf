# SPDX-License-Identifier: PostgreSQL
"""The configurations: what differs between the servers that are compared."""

import dataclasses

from . import redirect


@dataclasses.dataclass(frozen=True)
class Config:
    """One of them.

    page is the size of pages that shared memory comes in; once is whether its
    page tables are there once for all processes, and not in each of them.
    """
    name: str
    what: str
    page: str = "4k"
    once: bool = False
    preload: bool = False
    backend: str | None = None
    huge_pages: str = "off"
    reserve: bool = False
    shmem_enabled: str | None = None

    @property
    def settings(self):
        """What is added to the server's settings."""
        return {"huge_pages": self.huge_pages}

    def environment(self, library):
        """What is added to the server's environment."""
        if not self.preload:
            return {}
        # The library says in the server log what it redirected, or why it did not.
        added = {"LD_PRELOAD": str(library), "MSHARE_LOG": "info"}
        if self.backend:
            added["MSHARE_BACKEND"] = self.backend
        return added

    def refuses(self, shared_memory_type):
        """Why PostgreSQL itself cannot be run so, or None."""
        if self.huge_pages == "on" and shared_memory_type == "sysv":
            return "PostgreSQL has no huge_pages=on with shared_memory_type=sysv"
        return None


_ALL = (
    Config("stock", "the server as it is, pages of 4 kB"),
    Config("hugetlb", "huge_pages=on, 2 MB pages reserved beforehand", page="2m",
           huge_pages="on", reserve=True),
    Config("thp", "transparent huge pages for shared memory (shmem_enabled=always)", page="2m",
           shmem_enabled="always"),
    Config("mshare", "under the library, page tables from msharefs", once=True, preload=True),
    Config("mshare-thp", "as mshare, and transparent huge pages", page="2m", once=True,
           preload=True, shmem_enabled="always"),
    Config("mshare-hugetlb", "as mshare, and huge_pages=on", page="2m", once=True, preload=True,
           huge_pages="on", reserve=True),
    Config("preload-hugetlb", "under the library on any kernel: 2 MB pages at whole GBs", page="2m",
           preload=True, backend="hugetlb", reserve=True),
    Config("preload-thp", "under the library on any kernel: transparent huge pages", page="2m",
           preload=True, backend="thp", shmem_enabled="advise"),
)
BY_NAME = {config.name: config for config in _ALL}
NAMES = tuple(BY_NAME)
STOCK, MSHARE = redirect.STOCK, redirect.MSHARE
