# SPDX-License-Identifier: PostgreSQL
"""msharefs on this kernel, and how a process that uses it is told from one that does not."""

import os
import pathlib
import subprocess

from .errors import UsageError

STOCK = "stock"
MSHARE = "mshare"

MOUNT = pathlib.Path("/sys/fs/mshare")
FILESYSTEM = "msharefs"


def kernel_has_msharefs(filesystems=None):
    """Whether this kernel knows the filesystem, by /proc/filesystems."""
    text = filesystems or pathlib.Path("/proc/filesystems").read_text()
    return FILESYSTEM in text.split()


def mounted(mounts=None):
    """Whether msharefs is mounted where the library looks for it."""
    text = mounts or pathlib.Path("/proc/mounts").read_text()
    fields = [line.split() for line in text.splitlines()]
    return any(f[1] == str(MOUNT) and f[2] == FILESYSTEM for f in fields)


def prepare_kernel():
    """Mount msharefs; an error if this kernel has none."""
    if not kernel_has_msharefs():
        raise UsageError("this kernel has no msharefs, so there is nothing to "
                         "measure for mshare: use --vm, or --configs stock")
    if not mounted():
        result = subprocess.run(["mount", "-t", FILESYSTEM, FILESYSTEM, str(MOUNT)],
                                check=False, stderr=subprocess.PIPE, text=True)
        if result.returncode != 0:
            raise UsageError(f"cannot mount {FILESYSTEM} at {MOUNT}: "
                             f"{result.stderr.strip()}")


def environment(config, library):
    """What is added to the server's environment."""
    if config == STOCK:
        return {}
    # The library says in the server log what it redirected, or why it did not.
    return {"LD_PRELOAD": str(library), "MSHARE_LOG": "info"}


def mount_device():
    """Device number of the mount as /proc/PID/maps shows it; None without one."""
    if not mounted():
        return None
    device = MOUNT.stat().st_dev
    return f"{os.major(device):02x}:{os.minor(device):02x}"


def windows(maps, device):
    """Lines of /proc/PID/maps that are windows, which carry the mount's device.

    The name there is that of the object, and says nothing.
    """
    fields = [line.split(maxsplit=5) for line in maps.splitlines()]
    return [f[0] for f in fields if f[3] == device]
