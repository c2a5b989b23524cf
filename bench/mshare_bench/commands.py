# SPDX-License-Identifier: PostgreSQL
"""Running other programs: as the server's user, with an error that says why."""

import contextlib
import os
import pwd
import resource
import signal
import subprocess
import time

from .errors import BenchError, UsageError

SERVER_USER = "postgres"
_HIGH_PRIORITY = -15


def account():
    """Popen arguments that make a program run as the server's user.

    PostgreSQL refuses to run as root; whoever is not root runs it as oneself.
    """
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(SERVER_USER)
    except KeyError:
        raise UsageError(f"there is no user {SERVER_USER}, and PostgreSQL does "
                         "not run as root: install postgresql-15") from None
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def give_to_server(path):
    """Make the server's user the owner of a file or directory."""
    who = account()
    if who:
        os.chown(path, who["user"], who["group"])


def environment(**extra):
    """The environment of every program: no settings of libpq's or the library's."""
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("PG", "MSHARE")) and name != "LD_PRELOAD"}
    env["LC_ALL"] = "C.UTF-8"
    env.update(extra)
    return env


def run(command, what, **options):
    """Run a program to its end; returns its standard output.

    If we are interrupted meanwhile, the program ends with all that it has
    started: initdb, for one, would go on writing through its children.
    """
    options.setdefault("env", environment())
    process = subprocess.Popen(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True, **options)
    try:
        out, err = process.communicate()
    except BaseException:
        _kill_group(process)
        raise
    if process.returncode != 0:
        reason = (err or out).strip() or "no message"
        raise BenchError(f"{what} failed with exit status {process.returncode}: "
                         f"{reason}")
    return out


def _kill_group(process):
    """SIGKILL for a process that leads a group, and for the group; returns when none of it is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 10
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.02)


def start(command, **options):
    """Start a program in a session of its own, away from our terminal's ^C."""
    options.setdefault("env", environment())
    return subprocess.Popen(command, text=True, start_new_session=True, **options)


def stop(process, seconds=10):
    """End a program that we started, in an orderly way if it still listens."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(signum)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def prefer(pid):
    """Give a process high priority if we may: a thousand others are busy."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, _HIGH_PRIORITY)


def raise_file_limit(needed):
    """Programs we start inherit the limit; the soft one is often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, max(hard, needed)))
    except (ValueError, OSError):
        raise UsageError(f"{needed} file descriptors are needed and the limit is "
                         f"{hard}: raise it (ulimit -Hn), or ask for fewer "
                         "clients") from None
