# SPDX-License-Identifier: PostgreSQL
"""What a result was measured on: every result carries it."""

import os
import pathlib
import platform
import re
import subprocess
import time

from . import procfs


def processor(text):
    """The model of the first processor."""
    match = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return match.group(1) if match else "unknown"


def acceleration(text):
    """tcg, kvm (some hypervisor) or none, as the processor shows itself."""
    if "QEMU TCG" in text:
        return "tcg"
    flags = re.search(r"^flags\s*:\s*(.*)$", text, re.MULTILINE)
    return "kvm" if flags and "hypervisor" in flags.group(1).split() else "none"


def cpuinfo():
    """What the kernel tells of the processors."""
    return pathlib.Path("/proc/cpuinfo").read_text()


def describe(bindir, **more):
    """The "machine" of a summary."""
    text = cpuinfo()
    version = subprocess.run([bindir / "postgres", "--version"], check=True,
                             stdout=subprocess.PIPE, text=True)
    return {
        "kernel": platform.release(),
        "kernel_version": platform.version(),
        "kernel_command_line": pathlib.Path("/proc/cmdline").read_text().strip(),
        "cpu": processor(text),
        "cpus": os.cpu_count(),
        "accel": acceleration(text),
        "memory_bytes": procfs.meminfo("MemTotal"),
        "postgres_version": version.stdout.strip(),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **more,
    }
