#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""pg_crash.t - PostgreSQL that is killed, under the preload library as without it.

Plays the same scenes with a stock server and with one under the library, on the same data directory:
a backend is killed, the server is stopped in immediate mode, the postmaster is killed while a backend
lives on. All that an outsider can see must be the same, ipcs -m included; and afterwards nothing may be
left: no process, no segment, no region, no page table, no memory.

Environment: top_builddir, the configured build tree; shared_memory_type, mmap or sysv (default: both).
Runs as root, in the guest.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "bench"))

from mshare_bench import procfs, redirect  # noqa: E402
from mshare_bench.commands import give_to_server  # noqa: E402
from mshare_bench.errors import BenchError  # noqa: E402
from mshare_bench.holder import Holder  # noqa: E402
from mshare_bench.places import Places, postgres_bindir  # noqa: E402
from mshare_bench.raw import Raw  # noqa: E402
from mshare_bench.sample import read_region  # noqa: E402
from mshare_bench.server import DATABASE, Server, wait_for_end  # noqa: E402
from mshare_bench.session import Session  # noqa: E402
from mshare_bench.staging import Staged  # noqa: E402
from mshare_bench.units import KB, MB  # noqa: E402

CLIENTS = 12
SETTINGS = {"huge_pages": "off", "shared_buffers": "256MB", "max_connections": CLIENTS + 20,
            # What was committed must be there after a crash.
            "synchronous_commit": "on"}

# A leaked region would be at least its page tables, half a megabyte for this much shared memory, and would
# hold a quarter of a gigabyte of it.
LEAKED_PAGE_TABLES = 384 * KB
LEAKED_MEMORY = 64 * MB

# What a server says of its ends and its starts, however it was treated.
PHRASES = ("was terminated by signal 9", "all server processes terminated; reinitializing",
           "automatic recovery in progress", "redo done at", "received immediate shutdown request",
           "received fast shutdown request", "is still in use", "database system is shut down",
           "ready to accept connections", "could not", "PANIC")

tests = {"count": 0, "failed": 0}


def ok(passed, name, found=None):
    """One line of TAP, and what was found where it matters."""
    tests["count"] += 1
    tests["failed"] += not passed
    print(f"{'ok' if passed else 'not ok'} {tests['count']} - {name}", flush=True)
    if not passed:
        for line in str(found).splitlines():
            print(f"# {line}", flush=True)


def segments():
    """What ipcs -m shows, but for the ids, which the kernel counts upwards."""
    listing = subprocess.run(["ipcs", "-m"], check=True, stdout=subprocess.PIPE, text=True).stdout
    rows = [line.split() for line in listing.splitlines() if line.startswith("0x")]
    return sorted((row[0], *row[2:]) for row in rows)


def phrases(log):
    """How often each of the phrases appears."""
    return {phrase: log.count(phrase) for phrase in PHRASES}


class Play:
    """All scenes with one configuration; outcomes are what an outsider sees."""

    def __init__(self, server, staged, program, config, raw):
        self.server, self.staged, self.program, self.raw = server, staged, program, raw
        self.config = config
        self.settings = SETTINGS
        self.outcomes = {}
        self.regions = {}

    def start(self):
        """Start the server of this configuration."""
        self.server.start(self.settings, redirect.environment(self.config, self.staged.preload))

    def look(self, scene, **more):
        """Record what is to be seen of a running server after a scene.

        The region's windows must be the server's processes, no more and no fewer.
        """
        with contextlib.closing(Session(self.server, DATABASE)) as session:
            session.script("INSERT INTO committed VALUES (default)")
            rows = session.value("SELECT count(*) FROM committed")
            pages = session.value("SELECT pg_mshare_touch()")
            processes = 1 + len(procfs.children(self.server.pid))
            region = read_region(session)
            windows = region and region["windows"]
            self.regions[scene] = (windows, processes if self.config == redirect.MSHARE else None)
            self.outcomes[scene] = {"rows": rows, "pages": pages, "processes": processes,
                                    "segments": segments(),
                                    "log": phrases(self.server.log.read_text()), **more}

    @contextlib.contextmanager
    def clients(self):
        """Connected clients that have touched all of shared memory; yields their backends."""
        holder = Holder(self.program, self.server, CLIENTS, self.raw)
        try:
            holder.run("SELECT pg_mshare_touch()", 4)
            yield holder.pids
        finally:
            holder.close()

    def running(self):
        """A server with clients, to whom nothing happens."""
        self.start()
        with self.clients():
            self.look("running")

    def backend_killed(self):
        """SIGKILL for a backend: crash recovery, all clients lose their connection."""
        with self.clients() as pids:
            os.kill(pids[3], signal.SIGKILL)
            left = wait_for_end(pids, 60)
            wait_until_connectable(self.server)
            self.look("a backend killed", backends_left=left)

    def stopped_immediately(self):
        """pg_ctl stop -m immediate with clients connected, and a restart that recovers."""
        with self.clients() as pids:
            self.server.stop("immediate")
            left = wait_for_end(pids, 60)
            stopped = segments()
        self.start()
        self.look("stopped in immediate mode", backends_left=left, segments_stopped=stopped)

    def postmaster_killed(self):
        """SIGKILL for the postmaster while one backend is held up.

        As long as that one lives no server may start: PostgreSQL knows by shm_nattch.
        """
        with self.clients() as pids:
            everyone = procfs.children(self.server.pid)
            os.kill(pids[0], signal.SIGSTOP)
            os.kill(self.server.pid, signal.SIGKILL)
            left = wait_for_end([pid for pid in everyone if pid != pids[0]], 60)
            alone = segments()
            refused = self.start_is_refused()
            os.kill(pids[0], signal.SIGCONT)
            left += wait_for_end(pids, 60)
        self.start()
        self.look("the postmaster killed", backends_left=left, segments_alone=alone,
                  refused=refused)

    def start_is_refused(self):
        """Whether a start fails because old shared memory is still in use."""
        try:
            self.start()
        except BenchError as error:
            return bool(re.search(r"pre-existing shared memory block .* is still in use", str(error)))
        return False

    def stopped(self):
        """An orderly end."""
        children = procfs.children(self.server.pid)
        self.server.stop()
        self.outcomes["stopped"] = {"left": wait_for_end(children, 60), "segments": segments(),
                                    "log": phrases(self.server.log.read_text())}

    def all_scenes(self):
        """From start to end."""
        self.running()
        self.backend_killed()
        self.stopped_immediately()
        self.postmaster_killed()
        self.stopped()


def wait_until_connectable(server):
    """Until a server that has restarted by itself accepts connections again."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if subprocess.run([server.program("pg_isready"), "-q", "-h", str(server.directory)],
                          check=False).returncode == 0:
            return
        time.sleep(0.2)
    raise BenchError("the server does not come back", server.log)


def memory():
    """Settled page tables and shared memory of the whole machine.

    Processors keep part of these counts for themselves, which may come to more than what is looked for here.
    """
    (procfs.PROC / "sys/vm/stat_refresh").write_text("1")
    return procfs.settle_page_tables(), procfs.meminfo("Shmem")


def check_leaks(name, before):
    """Everything as it was, as seen from outside."""
    # What has leaked never goes away: what does was only late.
    for _ in range(10):
        tables, shared = (now - then for now, then in zip(memory(), before))
        if tables <= LEAKED_PAGE_TABLES and shared <= LEAKED_MEMORY:
            break
    ok(tables <= LEAKED_PAGE_TABLES, f"{name}: page tables are given back", f"{tables} bytes more than before")
    ok(shared <= LEAKED_MEMORY, f"{name}: shared memory is given back", f"{shared} bytes more than before")


def check_mount(name):
    """No region is left on the mount, and nothing holds it."""
    ok(sorted(os.listdir(redirect.MOUNT)) == ["mshare_info", "mshare_regions"], f"{name}: the mount is empty",
       os.listdir(redirect.MOUNT))
    result = subprocess.run(["umount", redirect.MOUNT], check=False, text=True,
                            stderr=subprocess.PIPE)
    ok(result.returncode == 0, f"{name}: it can be unmounted", result.stderr)
    redirect.prepare_kernel()
    ok(redirect.mounted(), f"{name}: and mounted again")


def create(server, staged, settings):
    """A cluster with the extension's functions and a table that counts the scenes."""
    server.create()
    server.start(settings)
    with contextlib.closing(Session(server, "postgres")) as session:
        session.script(f"CREATE DATABASE {DATABASE}")
    with contextlib.closing(Session(server, DATABASE)) as session:
        session.script(f"CREATE TABLE committed (scene serial); {staged.script}")
    server.stop()


def play(server, staged, program, config, kind, raw):
    """Play all scenes with a configuration; returns the Play."""
    name = f"{kind}, {config}"
    before, segments_before = memory(), segments()
    scenes = Play(server, staged, program, config, raw)
    scenes.settings = {**SETTINGS, "shared_memory_type": kind}
    scenes.all_scenes()
    for scene, (windows, expected) in scenes.regions.items():
        ok(windows == expected, f"{name}, {scene}: a window for each process of the server"
           if expected else f"{name}, {scene}: no region", f"{windows} windows, expected {expected}")
    ok(segments() == segments_before, f"{name}: no segment is left", segments())
    check_leaks(name, before)
    return scenes


def compare(kind, stock, mshare):
    """Scene by scene, the same outcome."""
    for scene, outcome in stock.outcomes.items():
        found = mshare.outcomes[scene]
        differences = [f"{key}: stock {outcome[key]}, mshare {found[key]}"
                       for key in outcome if outcome[key] != found[key]]
        ok(not differences, f"{kind}, {scene}: same outcome", "\n".join(differences))


def check_stock(kind, stock):
    """The scenes are worth comparing only if they went as scenes go."""
    crash = stock.outcomes["the postmaster killed"]
    ok(crash["refused"], f"{kind}: no start while an old backend is attached", crash)
    recovered = stock.outcomes["a backend killed"]["log"]
    ok(recovered["all server processes terminated; reinitializing"] == 1,
       f"{kind}: a killed backend means crash recovery", recovered)


def reset(server):
    """The table counts scenes from nought for each configuration."""
    server.start({**SETTINGS, "shared_memory_type": "mmap"})
    with contextlib.closing(Session(server, DATABASE)) as session:
        session.script("TRUNCATE committed")
    server.stop()


def test(kind, places, directory):
    """Both configurations with one shared_memory_type."""
    server = Server(places.bindir, directory)
    staged = Staged(places, directory, preload=True)
    raw = Raw(tempfile.mkdtemp(dir=directory))
    program = places.connect_hold()
    try:
        create(server, staged, {**SETTINGS, "shared_memory_type": kind})
        stock = play(server, staged, program, redirect.STOCK, kind, raw)
        check_stock(kind, stock)
        reset(server)
        mshare = play(server, staged, program, redirect.MSHARE, kind, raw)
        check_mount(f"{kind}, mshare")
        compare(kind, stock, mshare)
    except BenchError as error:
        ok(False, f"{kind}: all scenes could be played", f"{error}\n{server.log_tail(60)}")
    finally:
        server.destroy()


def main():
    """Run the tests; exit status 77 where there is no msharefs."""
    if not redirect.kernel_has_msharefs():
        print("1..0 # SKIP this kernel has no msharefs")
        return 77
    redirect.prepare_kernel()
    build = pathlib.Path(os.environ["top_builddir"])
    places = Places(TOP, build, build, build, build, postgres_bindir(None))
    chosen = os.environ.get("shared_memory_type")
    for kind in [chosen] if chosen else ["mmap", "sysv"]:
        directory = pathlib.Path(tempfile.mkdtemp(prefix="pg-crash-", dir="/dev/shm"))
        give_to_server(directory)
        try:
            test(kind, places, directory)
        finally:
            shutil.rmtree(directory)
    print(f"1..{tests['count']}")
    return int(tests["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
