# SPDX-License-Identifier: PostgreSQL
"""Runs the benchmark inside a guest that boots the msharefs kernel."""

import json
import pathlib
import shutil
import subprocess

from . import commands, procfs, progress, summary
from .errors import BenchError, UsageError
from .measure import memory_needed
from .units import GB, MB, format_size

# Exit status of kernel/scripts/boot when the kernel log holds a splat.
SPLAT_STATUS = 99
# What the guest needs besides the benchmark: kernel, page cache, overlay.
_GUEST_BYTES = GB
_ANSWER = "inner-durations.json"


def guest_memory(options):
    """Bytes of memory that the guest gets."""
    return options.mem or -(-(memory_needed(options) + _GUEST_BYTES) // GB) * GB


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
    command = [places.kernel_script("boot"), "--mem", f"{memory // MB}M",
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


def discard(directory, reason):
    """No numbers from a guest that did not end well."""
    path = directory / summary.NAME
    found = json.loads(path.read_text()) if path.exists() else {"machine": {}}
    errors = [*found.get("errors", []),
              {"config": "all", "workload": "all", "error": reason,
               "log": str(directory / "kernel.log")}]
    summary.write(directory, summary.build(found["machine"], [], errors))


def run(options, places, cache, inner):
    """Boot the guest and measure there; returns the exit status."""
    status = boot(options, places, guest_memory(options), inner)
    answer = options.out / _ANSWER
    if answer.exists():
        progress.merge(answer, cache)
        answer.unlink()
    if status == SPLAT_STATUS:
        discard(options.out, "the kernel log holds a splat")
    elif not (options.out / summary.NAME).exists():
        discard(options.out, f"the guest ended with exit status {status}")
    return status


def stage_durations(options, cache):
    """The file in which the guest finds durations, and leaves its own."""
    path = options.out / _ANSWER
    if cache.exists():
        shutil.copyfile(cache, path)
    return path
