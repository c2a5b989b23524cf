# SPDX-License-Identifier: PostgreSQL
"""The command line of mshare-bench."""

import argparse
import json
import os
import pathlib
import sys

from . import configs, matrix, measure, redirect, report_cli, signals, storm
from .benchmark import Benchmark
from .errors import BenchError, UsageError
from .options import Parser, add_where, check_where
from .places import Places, postgres_bindir

PROGRAM = "mshare-bench"
_USAGE = ("%(prog)s [OPTION]...\n       %(prog)s report [OPTION]... DIR...   (see %(prog)s report --help)\n"
          "       %(prog)s storm [OPTION]...   (see %(prog)s storm --help)")

_DESCRIPTION = """\
Measures what PostgreSQL's shared memory costs in page tables, with many
clients, on a stock server and under the mshare library.

It makes servers of its own, with data of its own in /dev/shm, and never
touches yours. Without --native all of that happens in a guest, and this
machine keeps its kernel and settings."""
_EPILOG = """\
LISTs are separated by commas; sizes are such as 1GB. What --matrix may name:
{matrices}

Anything larger than the machine is refused beforehand, with the arithmetic.
mshare-model works out a server's page tables without measuring: see there.

Exit status: 0 when all that the machine can hold was measured, 1 when something
could not be, 2 for a mistake of the user's."""


def _parser():
    parser = Parser(
        prog=PROGRAM, usage=_USAGE,
        description=_DESCRIPTION, epilog=_EPILOG.format(matrices=matrix.described()))
    parser.add_argument("--matrix", metavar="NAME",
                        help="what is measured: a file, or a name from below (default: default); the options down to "
                             "--rounds replace what it says")
    parser.add_argument("--quick", action="store_true", help="as --matrix quick")
    parser.add_argument("--configs", metavar="LIST", help=f"servers: some of {', '.join(configs.NAMES)}")
    parser.add_argument("--clients", metavar="LIST", help="numbers of clients, such as 300,1000")
    parser.add_argument("--shared-buffers", metavar="LIST", help="sizes of shared buffers, such as 1GB,8GB")
    parser.add_argument("--shared-memory-type", metavar="LIST", help="the server's setting: mmap, sysv")
    parser.add_argument("--workloads", metavar="LIST",
                        help=f"some of {', '.join(matrix.workloads.NAMES)}")
    parser.add_argument("--seconds", metavar="S", help="how long each throughput is measured")
    parser.add_argument("--rounds", metavar="N", help="how often times are measured, in turn for each server")
    parser.add_argument("--out", metavar="DIR", type=pathlib.Path,
                        default=pathlib.Path("mshare-bench.out"),
                        help="where results go; those of an earlier benchmark there are replaced "
                             "(default: mshare-bench.out)")
    parser.add_argument("--resume", action="store_true",
                        help="go on with the benchmark in DIR: what is complete there is kept")
    add_where(parser)
    parser.add_argument("--pg-bindir", metavar="DIR",
                        help="PostgreSQL's programs (default: as pg_config says)")
    for hidden in ("--durations", "--set", "--mode", "--called"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    return parser


def parse(arguments):
    """Options of a benchmark, checked; sets are what is to be measured."""
    options = _parser().parse_args(arguments)
    if options.quick and options.matrix:
        raise UsageError("--quick is --matrix quick, and --matrix is given too; see --help")
    given = matrix.load(options.matrix or ("quick" if options.quick else "default"))
    for key in ("configs", "clients", "shared_buffers", "shared_memory_type", "workloads", "seconds", "rounds"):
        value = getattr(options, key)
        if value is not None:
            given[key] = value
    options.sets = [matrix.from_json(json.loads(options.set))] if options.set else matrix.sets(given)
    check_where(options)
    options.durations = options.durations and pathlib.Path(options.durations)
    # A guest may take as long as it needs; this only ends one that hangs.
    options.timeout = 4 * 3600
    return options


def _cache():
    root = os.environ.get("MSHARE_CACHE") or pathlib.Path.home() / ".cache/mshare"
    return pathlib.Path(root) / "bench-durations.json"


def command_line(argv):
    """What was called, without the folders of the machine that it ran on: a stored run is for others to read."""
    return " ".join(os.path.basename(word) if os.path.isabs(word) else word for word in argv)


def _run_command(arguments, launcher, find_places):
    options = parse(arguments)
    places = find_places(options)
    chosen = [configs.BY_NAME[name] for what in options.sets for name in what.configs]
    places.check(any(config.preload for config in chosen))
    if options.native:
        measure.check_machine(options.sets)
        _check_kernel(chosen)
    status = Benchmark(options, places, launcher, options.called or command_line(sys.argv), _cache()).run()
    if not options.set:
        report_cli.render(options.out)
    return status


def _check_kernel(chosen):
    """An error if this kernel has nothing of what is to be measured; what it lacks of it is refused later."""
    if not any(config.once for config in chosen):
        return
    if redirect.kernel_has_msharefs() or all(config.once for config in chosen):
        redirect.prepare_kernel()


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
        if sys.argv[1:2] == ["report"]:
            return report_cli.main(sys.argv[2:])
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
