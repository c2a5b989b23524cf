# SPDX-License-Identifier: PostgreSQL
"""Page tables by arithmetic: what shared memory costs, table by table.

On x86-64 a table of any level is a page of 4096 bytes with 512 entries.  A
table of the lowest level (PTE) maps 2 MB in pages of 4 kB, a PMD table 1 GB, a
PUD table 512 GB, and with five levels a P4D table 256 TB.  A process has its
PGD (and P4D) whatever it maps, so these count for a region only, which has an
address space of its own.
"""

import dataclasses

from .units import GB, KB, MB

TABLE = 4 * KB
TB = 1024 * GB
PAGES = {"4k": 4 * KB, "2m": 2 * MB, "1g": GB}
LEVELS = (4, 5)

# What a table of a level maps, from the lowest up.
SPANS = {"PTE": 2 * MB, "PMD": GB, "PUD": 512 * GB, "P4D": 256 * TB, "PGD": 128 * 1024 * TB}

STOCK = "stock"
HUGETLB = "hugetlb"
HUGETLB_UNSHARED = "hugetlb, PMD tables not shared"
HUGETLB_SHARED = "hugetlb, PMD tables shared"
THP = "thp"
MSHARE = "mshare"


@dataclasses.dataclass(frozen=True)
class Cost:
    """Bytes of page tables by level: in each process, and once for all of them."""
    each: dict
    once: dict

    def total(self, clients):
        """Bytes for so many processes."""
        return clients * sum(self.each.values()) + sum(self.once.values())


def tables(size, span, offset=0):
    """Tables that map so many bytes from an offset on, if one of them maps span."""
    return -(-(offset + size) // span) - offset // span


def walk(size, page, offset=0):
    """Bytes of each level for one address space that maps the memory at an offset."""
    return {name: TABLE * tables(size, SPANS[name], offset) if SPANS[name] > page else 0
            for name in ("PTE", "PMD", "PUD")}


def stock(size, page, offset=0):
    """Every process has all tables of its own."""
    return Cost(each=walk(size, page, offset), once={})


def thp(size, offset=0):
    """As stock, in pages of 2 MB, and what fills none of these, at the ends, in pages of 4 kB."""
    page = PAGES["2m"]
    whole = max(0, (offset + size) // page - -(-offset // page))
    return Cost(each={**walk(size, page, offset), "PTE": TABLE * (tables(size, page, offset) - whole)}, once={})


def hugetlb_shared(size, offset=0):
    """The kernel shares PMD tables of hugetlb pages for whole, aligned GBs only.

    The others, at the ends, are in each process.
    """
    each = walk(size, PAGES["2m"], offset)
    first, last = -(-offset // GB), (offset + size) // GB
    shared = max(0, last - first) * TABLE
    return Cost(each={**each, "PMD": each["PMD"] - shared}, once={"PMD": shared})


def mshare(size, page, levels, offset=0):
    """A region has all tables once, and a top of its own; a process has entries in tables that it has anyway."""
    top = {"P4D": TABLE} if levels == 5 else {}
    return Cost(each={}, once={**walk(size, page, offset), **top, "PGD": TABLE})


def costs(size, page, levels):
    """{what is done: Cost} for memory in pages of a size, at its best alignment."""
    nbytes = PAGES[page]
    own = {"4k": STOCK, "2m": HUGETLB_UNSHARED, "1g": HUGETLB}[page]
    found = {own: stock(size, nbytes)}
    if page == "2m":
        found[HUGETLB_SHARED] = hugetlb_shared(size)
        found[THP] = thp(size)
    found[MSHARE] = mshare(size, nbytes, levels)
    return found


def counted(cost, clients):
    """What PageTables of /proc/meminfo and VmPTE tell of it: all but the tables on top."""
    return cost.total(clients) - sum(cost.once.get(name, 0) for name in ("P4D", "PGD"))


def of_config(config, size, offset=0):
    """What a configuration of the benchmark (a configs.Config) is to be expected to need, as VmPTE and regions count it.

    VmPTE has the PMD tables of hugetlb pages in each process, shared or not.
    """
    page = PAGES[config.page]
    if config.reserve:
        size = -(-size // page) * page
    if config.once:
        return Cost(each={}, once=thp(size).each if config.shmem_enabled else walk(size, page))
    return thp(size, offset) if config.shmem_enabled else stock(size, page, offset)
