# SPDX-License-Identifier: PostgreSQL
"""Runs a command of the benchmark inside a guest that boots the msharefs kernel."""

import pathlib
import subprocess

from . import commands, procfs
from .errors import BenchError, UsageError
from .units import MB, format_size

# Exit status of kernel/scripts/boot when the kernel log holds a splat.
SPLAT_STATUS = 99


def build_kernel(places):
    """Path of the kernel image; the script tells what it is doing by itself."""
    script = places.kernel_script("build")
    result = subprocess.run([script], check=False, stdout=subprocess.PIPE, text=True,
                            stdin=subprocess.DEVNULL)
    lines = result.stdout.split()
    if result.returncode != 0 or not lines:
        raise BenchError(f"{script} failed with exit status {result.returncode}")
    return pathlib.Path(lines[-1])


def _boot_command(options, places, memory, kernel, inner):
    command = [places.kernel_script("boot"), "--mem", f"{memory // MB}M", "--timeout", options.timeout,
               "--out", options.out, "--kernel", kernel, "--accel", options.accel]
    if options.cpus:
        command += ["--cpus", options.cpus]
    return [str(word) for word in (*command, "--", *inner)]


def check_memory(needed, instead):
    """An error if this machine cannot give the guest its memory."""
    there = procfs.meminfo("MemAvailable")
    if there < needed:
        raise UsageError(f"the guest needs {format_size(needed)} of memory and "
                         f"{format_size(there)} are available: ask for {instead}")


def boot(options, places, memory, inner):
    """Boot a guest, run the command there; returns its exit status."""
    kernel = options.kernel or build_kernel(places)
    process = commands.start(_boot_command(options, places, memory, kernel, inner),
                             env=None, stdin=subprocess.DEVNULL)
    try:
        return process.wait()
    finally:
        commands.stop(process, 30)
