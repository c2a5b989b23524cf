# SPDX-License-Identifier: PostgreSQL
"""What the tests have in common that kill a PostgreSQL server, under the preload library and without it.

The same scenes are played with a stock server and with one under the library, on the same data directory. All
that an outsider can see must be the same, ipcs -m included; and afterwards nothing may be left: no process, no
segment, no region, no page table, no memory.

Environment: top_builddir, the configured build tree; shared_memory_type, mmap or sysv (default: both).
Tests run as root, in the guest.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "bench"))

from mshare_bench import procfs, redirect  # noqa: E402
from mshare_bench.commands import give_to_server  # noqa: E402
from mshare_bench.errors import BenchError  # noqa: E402
from mshare_bench.places import Places, postgres_bindir  # noqa: E402
from mshare_bench.raw import Raw  # noqa: E402
from mshare_bench.sample import read_region  # noqa: E402
from mshare_bench.server import DATABASE, Server, wait_for_end  # noqa: E402
from mshare_bench.session import Session  # noqa: E402
from mshare_bench.staging import Staged  # noqa: E402
from mshare_bench.units import KB, MB  # noqa: E402

SETTINGS = {"huge_pages": "off", "shared_buffers": "256MB", "max_connections": 32,
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
    """All scenes with one configuration; outcomes are what an outsider sees.

    A test has a class of its own with its scenes.
    """
    # Settings besides those that are the same for all, for each shared_memory_type that is tested.
    KINDS = {"mmap": {}, "sysv": {}}
    # What the scenes need in the database.
    SCRIPT = ""

    def __init__(self, server, staged, program, config, kind, raw):
        self.server, self.staged, self.program, self.raw = server, staged, program, raw
        self.config = config
        self.name = f"{kind}, {config}"
        self.settings = {**SETTINGS, "shared_memory_type": kind, **self.KINDS[kind]}
        self.outcomes = {}
        self.regions = {}

    def all_scenes(self):
        """From the first start to the end."""
        raise NotImplementedError

    def check(self):
        """What has to be so in each configuration, whatever it is in the other."""

    @staticmethod
    def check_stock(kind, stock):
        """The scenes are worth comparing only if they went as scenes go."""
        raise NotImplementedError

    def segments(self):
        """What is to be seen of segments, as far as it is the same each time."""
        return segments()

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
                                    "segments": self.segments(),
                                    "log": phrases(self.server.log.read_text()), **more}

    def stopped(self):
        """An orderly end."""
        children = procfs.children(self.server.pid)
        self.server.stop()
        self.outcomes["stopped"] = {"left": wait_for_end(children, 60), "segments": self.segments(),
                                    "log": phrases(self.server.log.read_text())}


def wait_until_connectable(server):
    """Until a server that has restarted by itself accepts connections again."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if subprocess.run([server.program("pg_isready"), "-q", "-h", str(server.directory)],
                          check=False).returncode == 0:
            return
        time.sleep(0.2)
    raise BenchError("the server does not come back", server.log)


def wait_until_reaped(pid):
    """Until a killed process is no zombie any more: PostgreSQL takes one for a postmaster that lives."""
    deadline = time.monotonic() + 60
    while (procfs.PROC / str(pid)).exists():
        if time.monotonic() > deadline:
            raise BenchError(f"process {pid} was killed and is still there")
        time.sleep(0.1)


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


def create(server, staged, script):
    """A cluster with the extension's functions, a table that counts the scenes, and what these need."""
    server.create()
    server.start(SETTINGS)
    with contextlib.closing(Session(server, "postgres")) as session:
        session.script(f"CREATE DATABASE {DATABASE}")
    with contextlib.closing(Session(server, DATABASE)) as session:
        session.script(f"CREATE TABLE committed (scene serial); {staged.script}\n{script}")
    server.stop()


def play(scenes):
    """Play all scenes with a configuration, and look for what is left of them."""
    before, segments_before = memory(), segments()
    scenes.all_scenes()
    for scene, (windows, expected) in scenes.regions.items():
        ok(windows == expected, f"{scenes.name}, {scene}: a window for each process of the server"
           if expected else f"{scenes.name}, {scene}: no region", f"{windows} windows, expected {expected}")
    scenes.check()
    ok(segments() == segments_before, f"{scenes.name}: no segment is left", segments())
    check_leaks(scenes.name, before)
    return scenes


def compare(kind, stock, mshare):
    """Scene by scene, the same outcome."""
    for scene, outcome in stock.outcomes.items():
        found = mshare.outcomes[scene]
        differences = [f"{key}: stock {outcome[key]}, mshare {found[key]}"
                       for key in outcome if outcome[key] != found[key]]
        ok(not differences, f"{kind}, {scene}: same outcome", "\n".join(differences))


def reset(server):
    """The table counts scenes from nought for each configuration."""
    server.start(SETTINGS)
    with contextlib.closing(Session(server, DATABASE)) as session:
        session.script("TRUNCATE committed")
    server.stop()


def test(scenes, kind, places, directory):
    """Both configurations with one shared_memory_type."""
    server = Server(places.bindir, directory)
    staged = Staged(places, directory, preload=True)
    raw = Raw(tempfile.mkdtemp(dir=directory))
    program = places.connect_hold()
    try:
        create(server, staged, scenes.SCRIPT)
        stock = play(scenes(server, staged, program, redirect.STOCK, kind, raw))
        scenes.check_stock(kind, stock)
        reset(server)
        mshare = play(scenes(server, staged, program, redirect.MSHARE, kind, raw))
        check_mount(f"{kind}, mshare")
        compare(kind, stock, mshare)
    except BenchError as error:
        ok(False, f"{kind}: all scenes could be played", f"{error}\n{server.log_tail(60)}")
    finally:
        server.destroy()


def main(scenes):
    """Run the tests with a class of scenes; exit status 77 where there is no msharefs."""
    if not redirect.kernel_has_msharefs():
        print("1..0 # SKIP this kernel has no msharefs")
        return 77
    redirect.prepare_kernel()
    build = pathlib.Path(os.environ["top_builddir"])
    places = Places(TOP, build, build, build, build, postgres_bindir(None))
    chosen = os.environ.get("shared_memory_type")
    for kind in [chosen] if chosen else scenes.KINDS:
        directory = pathlib.Path(tempfile.mkdtemp(prefix="pg-crash-", dir="/dev/shm"))
        give_to_server(directory)
        try:
            test(scenes, kind, places, directory)
        finally:
            shutil.rmtree(directory)
    print(f"1..{tests['count']}")
    return int(tests["failed"] > 0)
