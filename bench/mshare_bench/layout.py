# SPDX-License-Identifier: PostgreSQL
"""Where a process has its memory, and so which of its page tables are there for shared memory, and which for its own.

A table at an end of shared memory may map some of a process's own memory, too:
shared memory begins and ends anywhere, with libraries before and behind it.
VmPTE alone does not tell; /proc/PID/pagemap does, since a table is there if a
page that it maps ever was.
"""

import array
import dataclasses

from . import model, procfs

# What VmPTE counts, and the bytes that a table of that level maps.
SPANS = {name: model.SPANS[name] for name in ("PTE", "PMD", "PUD")}
PAGE = model.PAGES["4k"]
# Bits of an entry of pagemap: present, and swapped out.
_THERE = 3 << 62
# Beyond what a program can have lies vsyscall.
_END = 1 << 47
FILE = "own-tables.tsv"


@dataclasses.dataclass(frozen=True)
class Mapping:
    """A line of /proc/PID/maps: addresses, access (such as rw-s), device and name."""
    start: int
    end: int
    access: str
    device: str
    name: str


def parse_maps(text):
    """All mappings of a process."""
    found = []
    for line in text.splitlines():
        addresses, access, _, device, _, *name = line.split(maxsplit=5)
        start, end = (int(word, 16) for word in addresses.split("-"))
        if end <= _END:
            found.append(Mapping(start, end, access, device, name[0] if name else ""))
    return found


def shared_memory(mappings):
    """The mapping of the server's main shared memory: the largest shared one that can be read."""
    return max((m for m in mappings if m.access.startswith("r") and m.access.endswith("s")),
               key=lambda m: m.end - m.start)


def tables(start, end):
    """{level: numbers of the tables that map these addresses}."""
    return {level: set(range(start // span, (end - 1) // span + 1)) for level, span in SPANS.items()}


def own(pid, text):
    """{level: numbers of the tables that map a process's own memory}; text is its maps."""
    mappings = parse_maps(text)
    shared = shared_memory(mappings)
    found = {level: set() for level in SPANS}
    with open(procfs.PROC / str(pid) / "pagemap", "rb", buffering=0) as pagemap:
        for mapping in mappings:
            # Nothing can be read of the shadow of a redirected mapping, nor is it ever touched.
            if mapping != shared and mapping.access[:3] != "---":
                _add(found, pagemap, mapping)
    return found


def _add(found, pagemap, mapping):
    pagemap.seek(mapping.start // PAGE * 8)
    entries = array.array("Q", pagemap.read((mapping.end - mapping.start) // PAGE * 8))
    for number, entry in enumerate(entries, mapping.start // PAGE):
        if entry & _THERE:
            for level, span in SPANS.items():
                found[level].add(number * PAGE // span)


def text_of(found):
    """Such tables as tab-separated values: the level, and the first address that a table maps."""
    rows = [f"{level}\t{number * SPANS[level]:x}\n" for level, numbers in found.items() for number in sorted(numbers)]
    return "level\taddress\n" + "".join(rows)


def parse(text):
    """What text_of has written."""
    found = {level: set() for level in SPANS}
    for line in text.splitlines()[1:]:
        level, address = line.split("\t")
        found[level].add(int(address, 16) // SPANS[level])
    return found


@dataclasses.dataclass(frozen=True)
class Where:
    """Shared memory in a backend: its address and size, and how many tables map own memory only, and both."""
    start: int
    size: int
    own_only: int
    both: int


def of_run(directory):
    """Where of the backend that was looked at in a run, by its raw files; None without them."""
    try:
        maps, found = ((directory / name).read_text() for name in ("backend-maps.txt", FILE))
    except OSError:
        return None
    shared, mine = shared_memory(parse_maps(maps)), parse(found)
    touched = tables(shared.start, shared.end)
    both = sum(len(mine[level] & touched[level]) for level in SPANS)
    return Where(shared.start, shared.end - shared.start, sum(map(len, mine.values())) - both, both)
