# SPDX-License-Identifier: PostgreSQL
"""The command line of mshare-bench."""

import argparse
import os
import pathlib
import shutil
import sys

from . import guest, machine, redirect, signals, storm, summary
from .errors import BenchError, UsageError
from .measure import Bench
from .options import Parser, add_where, check_where, choices, number
from .places import Places, postgres_bindir
from .progress import Progress
from .units import MB, format_size, parse_size

PROGRAM = "mshare-bench"
_SMALLEST_BUFFERS = 128 * MB

_DEFAULTS = {"clients": "1000", "shared_buffers": "1GB", "seconds": "20"}
_QUICK = {"clients": "200", "shared_buffers": "512MB", "seconds": "10"}


def _parser():
    parser = Parser(
        prog=PROGRAM,
        usage="%(prog)s [OPTION]...\n       %(prog)s storm [OPTION]...   (see %(prog)s storm --help)",
        description="Measures what PostgreSQL's shared memory costs in page tables, "
                    "with many clients, on a stock server and under the mshare library.",
        epilog="Exit status: 0 when everything was measured, 1 when something could "
               "not be, 2 for a mistake of the user's.")
    parser.add_argument("--clients", metavar="N", help="clients (default: 1000)")
    parser.add_argument("--shared-buffers", metavar="SIZE",
                        help="size of shared buffers (default: 1GB)")
    parser.add_argument("--seconds", metavar="S",
                        help="how long throughput is measured (default: 20)")
    parser.add_argument("--quick", action="store_true",
                        help="200 clients, 512MB, 10 seconds, unless given")
    parser.add_argument("--configs", metavar="LIST", default=",".join(redirect.CONFIGS),
                        help="which servers, in this order (default: stock,mshare)")
    parser.add_argument("--shared-memory-type", choices=("mmap", "sysv"),
                        default="mmap", help="the server's setting (default: mmap)")
    parser.add_argument("--out", metavar="DIR", type=pathlib.Path,
                        default=pathlib.Path("mshare-bench.out"),
                        help="where results go; summary.json and raw/ of an earlier "
                             "benchmark there are replaced (default: mshare-bench.out)")
    add_where(parser)
    parser.add_argument("--pg-bindir", metavar="DIR",
                        help="PostgreSQL's programs (default: as pg_config says)")
    parser.add_argument("--durations", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser


def parse(arguments):
    """Options of a benchmark, checked."""
    options = _parser().parse_args(arguments)
    for name, value in (_QUICK if options.quick else _DEFAULTS).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.clients = number(options.clients, "--clients", 1, 20000)
    options.seconds = number(options.seconds, "--seconds", 5, 3600)
    options.shared_buffers = parse_size(options.shared_buffers, "--shared-buffers")
    if options.shared_buffers < _SMALLEST_BUFFERS:
        raise UsageError("--shared-buffers must be at least "
                         f"{format_size(_SMALLEST_BUFFERS)}")
    options.configs = choices(options.configs, "--configs", redirect.CONFIGS, "configuration")
    check_where(options)
    return options


def _clear(directory):
    """Make the directory for results, without those of an earlier benchmark."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / summary.NAME).unlink(missing_ok=True)
        shutil.rmtree(directory / "raw", ignore_errors=True)
    except OSError as error:
        raise UsageError(f"--out: {directory}: {error.strerror}") from None


def _cache():
    root = os.environ.get("MSHARE_CACHE") or pathlib.Path.home() / ".cache/mshare"
    return pathlib.Path(root) / "bench-durations.json"


def _scenario(options):
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    return (f"{machine.acceleration(cpuinfo)} {options.clients} clients "
            f"{options.shared_buffers // MB}MB {options.shared_memory_type}")


def _inner_arguments(launcher, options, places):
    """The command line that measures the same inside the guest."""
    command = [sys.executable, launcher, "--native",
               "--clients", options.clients, "--seconds", options.seconds,
               "--shared-buffers", f"{options.shared_buffers // 1024}kB",
               "--configs", ",".join(options.configs),
               "--shared-memory-type", options.shared_memory_type,
               "--out", options.out, "--pg-bindir", places.bindir,
               "--durations", guest.stage_durations(options, _cache())]
    if places.build_dir:
        command += ["--build-dir", places.build_dir]
    return command


def command_line(argv):
    """What was called, without the folders of the machine that it ran on: a stored run is for others to read."""
    return " ".join(os.path.basename(word) if os.path.isabs(word) else word for word in argv)


def _run_native(options, places):
    progress = Progress(options.durations or _cache(), _scenario(options))
    bench = Bench(options, places, progress)
    bench.check_machine()
    _clear(options.out)
    try:
        bench.run()
    finally:
        progress.save()
    about = machine.describe(
        places.bindir, command_line=command_line(sys.argv), seconds=options.seconds,
        shared_buffers_bytes=options.shared_buffers,
        shared_memory_type=options.shared_memory_type)
    result = summary.build(about, bench.runs, bench.errors)
    summary.write(options.out, result)
    print(summary.table(result), flush=True)
    return 1 if bench.errors else 0


def _run_in_guest(options, launcher, places):
    guest.check_memory(guest.guest_memory(options), "fewer --clients or smaller --shared-buffers, or try --quick")
    _clear(options.out)
    inner = _inner_arguments(launcher, options, places)
    return guest.run(options, places, _cache(), inner)


def _run_command(arguments, launcher, find_places):
    options = parse(arguments)
    places = find_places(options)
    places.check(options.configs)
    if options.native:
        return _run_native(options, places)
    return _run_in_guest(options, launcher, places)


def main(launcher, source_dir, build_dir, libexec_dir, lib_dir, bin_dir):
    """Run mshare-bench; returns its exit status."""
    def find_places(options):
        return Places(pathlib.Path(source_dir), options.build_dir or build_dir,
                      pathlib.Path(libexec_dir), pathlib.Path(lib_dir), pathlib.Path(bin_dir),
                      postgres_bindir(getattr(options, "pg_bindir", None)))

    signals.install()
    try:
        if sys.argv[1:2] == ["storm"]:
            return storm.main(sys.argv[2:], launcher, find_places, command_line(sys.argv))
        return _run_command(sys.argv[1:], launcher, find_places)
    except UsageError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except BenchError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    except signals.Interrupted as signal:
        print(f"{PROGRAM}: interrupted by {signal}", file=sys.stderr)
        return 128 + signal.signum
