# SPDX-License-Identifier: PostgreSQL
"""Huge pages of the machine: reserved and allowed for a configuration, and then as they were."""

import contextlib
import pathlib

from . import procfs
from .errors import BenchError
from .signals import deferred
from .units import MB

_NR = pathlib.Path("/proc/sys/vm/nr_hugepages")
_SHMEM = pathlib.Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")


class Refused(BenchError):
    """The machine cannot be set so: nothing was measured, and nothing went wrong."""


def _set(path, value):
    try:
        path.write_text(f"{value}\n")
    except OSError as error:
        raise Refused(f"cannot write {value} to {path}: {error.strerror}") from None


def pages_for(server, settings):
    """How many huge pages the server's shared memory takes, as the server itself says."""
    number = int(server.ask_setting("shared_memory_size_in_huge_pages", settings))
    if number < 0:
        raise Refused("PostgreSQL finds no huge pages on this kernel")
    return number


@contextlib.contextmanager
def reserved(number):
    """So many huge pages are free for us; afterwards the machine has as many as before, and what others took meanwhile."""
    text = procfs.meminfo_text()
    before = int(_NR.read_text())
    in_use = procfs.parse_counts(text)["HugePages_Total"] - procfs.parse_counts(text)["HugePages_Free"]
    given = before
    try:
        with deferred():
            _set(_NR, in_use + number)
            given = int(_NR.read_text())
        free = procfs.parse_counts(procfs.meminfo_text())["HugePages_Free"]
        if free < number:
            raise Refused(f"{number} huge pages of 2 MB are needed and {free} could be reserved")
        yield
    finally:
        with deferred():
            _set(_NR, max(0, int(_NR.read_text()) - given + before))


def current(text):
    """The word in brackets of a file such as shmem_enabled."""
    return text.partition("[")[2].partition("]")[0]


@contextlib.contextmanager
def shmem_enabled(value):
    """Transparent huge pages for shared memory; afterwards as it was."""
    try:
        before = current(_SHMEM.read_text())
    except OSError:
        raise Refused("this kernel has no transparent huge pages for shared memory") from None
    try:
        _set(_SHMEM, value)
        yield
    finally:
        with deferred():
            _set(_SHMEM, before)


@contextlib.contextmanager
def provided(config, server, settings):
    """What the configuration needs of the machine."""
    with contextlib.ExitStack() as stack:
        if config.reserve:
            stack.enter_context(reserved(pages_for(server, settings)))
        if config.shmem_enabled:
            stack.enter_context(shmem_enabled(config.shmem_enabled))
        yield


def check(config, text):
    """An error if the server's memory does not come in the pages that the configuration is about.

    text is /proc/meminfo while all of the memory has been touched.
    """
    counts, sizes = procfs.parse_counts(text), procfs.parse_kb_fields(text)
    if config.reserve and counts["HugePages_Free"] > counts["HugePages_Total"] // 2:
        raise BenchError(f"{counts['HugePages_Free']} of {counts['HugePages_Total']} huge pages are still free: "
                         "the server does not use them")
    if config.shmem_enabled and sizes["ShmemHugePages"] < 64 * MB:
        raise BenchError(f"only {sizes['ShmemHugePages'] // MB} MB of shared memory are in transparent huge pages")
