# SPDX-License-Identifier: PostgreSQL
"""A PostgreSQL server of our own: made, started and stopped without traces."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

from . import commands, procfs
from .errors import BenchError
from .signals import deferred

DATABASE = "mshare_bench"
# Where questions about the server are asked, away from the workload.
MONITOR_DATABASE = "postgres"

# Connections besides the clients: ours, and those kept for superusers.
SPARE_CONNECTIONS = 20

# Memory is measured, not disks: nothing is synced, nothing is archived, and
# nothing but the clients reads or writes while they are measured.
_SETTINGS = {
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    # A thousand clients waiting for one lock is no deadlock.
    "deadlock_timeout": "1h",
    # In files of the data directory, which are gone with it even if the server was killed.
    "dynamic_shared_memory_type": "mmap",
    "fsync": "off",
    "full_page_writes": "off",
    "jit": "off",
    "listen_addresses": "''",
    "log_line_prefix": "'%m [%p] '",
    "logging_collector": "off",
    "max_parallel_workers_per_gather": "0",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "synchronous_commit": "off",
    "wal_level": "minimal",
}


def find_crash(log):
    """The first line of a server log that tells of a crash, or None."""
    # Background workers may well end with an exit code, at shutdown for example.
    match = re.search(r"^.*(PANIC:|was terminated by|server process .* exited with"
                      r"|all server processes terminated).*$", log, re.MULTILINE)
    return match and match.group(0)


class Server:
    """A cluster below a directory; started with settings and an environment."""

    def __init__(self, bindir, directory):
        self.bindir = pathlib.Path(bindir)
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.log = self.directory / "server.log"
        self.pid = None

    def program(self, name):
        """Path of one of PostgreSQL's programs."""
        return str(self.bindir / name)

    def conninfo(self, database=DATABASE, **more):
        """Connection string for a database of this server."""
        fields = {"host": self.directory, "dbname": database,
                  "user": commands.SERVER_USER, **more}
        return " ".join(f"{name}={value}" for name, value in fields.items())

    def create(self):
        """initdb."""
        commands.run([self.program("initdb"), "-D", str(self.data), "-A", "trust",
                      "-U", commands.SERVER_USER, "-E", "UTF8", "--locale=C",
                      "--no-sync"], "initdb", cwd="/", **commands.account())

    def start(self, settings, env=None):
        """Start with these settings besides the fixed ones, and wait for it."""
        self._write_settings(settings)
        # What an earlier start logged is somebody else's.
        self.log.unlink(missing_ok=True)
        command = [self.program("pg_ctl"), "-D", str(self.data), "-l",
                   str(self.log), "-t", "300", "-w", "-s", "start"]
        try:
            # Not to be interrupted: before its pid file is there, nobody would find it.
            with deferred():
                commands.run(command, "starting the server", cwd="/",
                             env=commands.environment(**(env or {})),
                             **commands.account())
        except BenchError as error:
            raise BenchError(f"{error}\n{self.log_tail()}", self.log) from None
        self.pid = self._pidfile()[0]

    def ask_setting(self, name, settings):
        """What a setting comes to with these settings; the server must not run."""
        self._write_settings(settings)
        return commands.run([self.program("postgres"), "-C", name, "-D", str(self.data)],
                            f"asking for {name}", cwd="/", **commands.account()).strip()

    def stop(self, mode="fast"):
        """Stop in one of pg_ctl's modes, and wait for the end."""
        commands.run([self.program("pg_ctl"), "-D", str(self.data), "-m", mode,
                      "-t", "300", "-w", "-s", "stop"], f"stopping the server ({mode})",
                     cwd="/", **commands.account())
        self.pid = None

    def _write_settings(self, settings):
        merged = {**_SETTINGS, "unix_socket_directories": f"'{self.directory}'",
                  **settings}
        text = "".join(f"{name} = {value}\n" for name, value in merged.items())
        (self.data / "postgresql.auto.conf").write_text(text)

    def _pidfile(self):
        """Process id, and the id of the System V segment, as the server says."""
        lines = (self.data / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), int(lines[6].split()[1])

    def segment(self):
        """Id of the System V segment that guards the data directory."""
        return self._pidfile()[1]

    def log_tail(self, lines=20):
        """The end of the server log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text().splitlines()[-lines:])
        return ""

    def check_log(self):
        """An error if the server log tells of a crash."""
        crash = find_crash(self.log.read_text() if self.log.exists() else "")
        if crash:
            raise BenchError(f"the server log says: {crash}", self.log)

    def destroy(self):
        """Whatever happened, leave no process and no segment behind."""
        if not (self.data / "postmaster.pid").exists():
            return
        pid, segment = self._pidfile()
        for mode in ("fast", "immediate"):
            with contextlib.suppress(BenchError):
                self.stop(mode)
                return
        _kill_tree(pid)
        subprocess.run(["ipcrm", "-m", str(segment)], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _kill_tree(postmaster):
    """SIGKILL for a postmaster that hears nothing else, and its children."""
    victims = [*procfs.children(postmaster), postmaster]
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for_end(victims, 30)


def wait_for_end(pids, seconds):
    """Wait until none of the processes is left; returns those that are."""
    deadline = time.monotonic() + seconds
    left = list(pids)
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if procfs.read_process(pid)]
        time.sleep(0.1)
    return left
