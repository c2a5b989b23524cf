# SPDX-License-Identifier: PostgreSQL
"""The kernel log: a splat while something is measured spoils the measurement."""

import os
import re

from .errors import BenchError

_SPLAT = re.compile(r"BUG:|BUG at |WARNING: |INFO: (possible|suspicious|task .* blocked)"
                    r"|KASAN|UBSAN|Bad page|Bad rss|general protection fault"
                    r"|Oops|soft lockup|rcu.*stall|Out of memory:|Memory cgroup out of")


def find_splat(text):
    """The first line of a kernel log that tells of a defect, or None."""
    for line in text.splitlines():
        if _SPLAT.search(line):
            return line
    return None


class KernelLog:
    """What the kernel logs from now on."""

    def __init__(self, path="/dev/kmsg"):
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            os.lseek(self.fd, 0, os.SEEK_END)
        except OSError:
            self.fd = None          # only root may read it everywhere

    def read(self):
        """The messages since the last call."""
        records = []
        while self.fd is not None:
            try:
                records.append(os.read(self.fd, 8192).decode(errors="replace"))
            except BlockingIOError:
                break
            except BrokenPipeError:
                continue            # overwritten before we came; go on
        return "".join(record.partition(";")[2] for record in records)

    def check(self, raw):
        """An error if the kernel has complained since the last look."""
        text = self.read()
        raw.append("kernel.log", text)
        splat = find_splat(text)
        if splat:
            raise BenchError(f"the kernel says: {splat}", raw.path("kernel.log"))

    def close(self):
        """Done with it."""
        if self.fd is not None:
            os.close(self.fd)
