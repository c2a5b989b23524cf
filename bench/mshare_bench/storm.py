# SPDX-License-Identifier: PostgreSQL
"""mshare-bench storm: 300 GB and 1500 processes, stock and under the library.

sga-storm does it; here it is run twice in one guest, and what it found is put side by side.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

from . import commands, guest, machine, procfs, redirect
from .errors import BenchError, UsageError
from .kernel_log import KernelLog
from .options import Parser, add_where, check_where, choices
from .raw import Raw
from .units import GB, format_size

NAME = "storm.json"
SCHEMA = 1
_GUEST_MEMORY = 16 * GB
_ORDER = (redirect.STOCK, redirect.MSHARE)
# Exit statuses of sga-storm that come with a result.
_FINISHED, _LIMIT = 0, 3


def _parser():
    parser = Parser(
        prog="mshare-bench storm",
        description="Runs sga-storm, a shared object of 300 GB and 1500 processes that "
                    "read all of it, on the stock system until memory is at its end, "
                    "and under the mshare library.")
    parser.add_argument("--size", default="300G", help="size of the object (default: 300G)")
    parser.add_argument("--procs", metavar="N", default="1500", help="processes (default: 1500)")
    parser.add_argument("--stride", default="2M", help="distance of the words (default: 2M)")
    parser.add_argument("--type", default="sysv", choices=("sysv", "mmap", "file"),
                        help="of the object (default: sysv)")
    parser.add_argument("--configs", metavar="LIST", default=",".join(_ORDER),
                        help="which, in this order (default: stock,mshare)")
    parser.add_argument("--out", metavar="DIR", type=pathlib.Path,
                        default=pathlib.Path("mshare-storm.out"),
                        help="where results go (default: mshare-storm.out)")
    add_where(parser)
    parser.add_argument("--called", help=argparse.SUPPRESS)
    return parser


def parse(arguments):
    """Options of a storm; what is sga-storm's is for _check_words()."""
    options = _parser().parse_args(arguments)
    check_where(options)
    options.configs = choices(options.configs, "--configs", _ORDER, "configuration")
    options.mem = options.mem or _GUEST_MEMORY
    options.timeout = 3600
    return options


def _words(options):
    """The options that sga-storm understands."""
    return ["--size", options.size, "--procs", options.procs, "--stride", options.stride,
            "--type", options.type]


def _refuse(said):
    """What sga-storm will not do is told as our own refusal."""
    raise UsageError(said.strip().removeprefix("sga-storm: "))


def _check_words(options, places):
    """Have sga-storm say what is wrong with its options, before a guest is booted for them."""
    done = subprocess.run([places.storm(), *_words(options), "--dry-run"], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        _refuse(done.stderr)


def _measure(config, options, places, raw):
    """One storm: sga-storm's result, with the configuration's name."""
    result = raw.path("result.json")
    done = subprocess.run(
        [places.storm(), *_words(options), "--json", result, "--samples", raw.path("samples.tsv")],
        env=commands.environment(**redirect.environment(config, _library(config, places))),
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    raw.write("stderr.txt", done.stderr)
    sys.stderr.write(done.stderr)
    if done.returncode == 2:
        _refuse(done.stderr)
    if done.returncode not in (_FINISHED, _LIMIT):
        raise BenchError(f"sga-storm ended with exit status {done.returncode}", raw.path("stderr.txt"))
    found = {"config": config, **json.loads(result.read_text())}
    expected = "msharefs" if config == redirect.MSHARE else "none"
    if found["backend"] != expected:
        raise BenchError(f"{config}: the object's page tables come from \"{found['backend']}\", "
                         f"not from \"{expected}\"", raw.path("stderr.txt"))
    return found


def _library(config, places):
    return places.preload_library() if config == redirect.MSHARE else None


def _write(directory, about, storms, errors):
    result = {"schema": SCHEMA, "machine": about, "storms": storms}
    if errors:
        result["errors"] = errors
    temporary = directory / (NAME + ".new")
    temporary.write_text(json.dumps(result, indent=2) + "\n")
    temporary.rename(directory / NAME)
    return result


def _run_native(options, places, command_line):
    if redirect.MSHARE in options.configs:
        redirect.prepare_kernel()
    about = machine.describe(places.bindir, command_line=command_line)
    kernel_log = KernelLog()
    storms, errors = [], []
    for config in options.configs:
        print(f"\n==> {config}", flush=True)
        raw = Raw(options.out / "raw" / f"storm-{config}")
        try:
            procfs.settle_page_tables()
            storms.append(_measure(config, options, places, raw))
            kernel_log.check(raw)
        except BenchError as error:
            errors.append({"config": config, "error": str(error)})
        result = _write(options.out, about, storms, errors)
    print(f"\n{table(result)}", flush=True)
    return 1 if errors else 0


def clear(directory):
    """Make the directory for results, without those of an earlier storm."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / NAME).unlink(missing_ok=True)
        for config in _ORDER:
            shutil.rmtree(directory / "raw" / f"storm-{config}", ignore_errors=True)
    except OSError as error:
        raise UsageError(f"--out: {directory}: {error.strerror}") from None


def main(arguments, launcher, find_places, command_line):
    """Run the command; returns its exit status."""
    options = parse(arguments)
    places = find_places(options)
    _check_words(options, places)
    if redirect.MSHARE in options.configs:
        places.preload_library()
    if options.native:
        clear(options.out)
        return _run_native(options, places, options.called or command_line)
    guest.check_memory(options.mem, "a smaller --mem, --size and --procs")
    clear(options.out)
    inner = [sys.executable, launcher, "storm", "--native", *_words(options),
             "--configs", ",".join(options.configs), "--out", options.out, "--called", command_line]
    if places.build_dir:
        inner += ["--build-dir", places.build_dir]
    status = guest.boot(options, places, options.mem, inner)
    if status != 0 and not (options.out / NAME).exists():
        _write(options.out, {}, [], [{"config": "all", "error": f"the guest ended with exit status {status}"}])
    return status


def _reached(storm):
    share = f"{storm['reached']:,} of {storm['procs']:,}"
    return share if storm["reached"] == storm["procs"] else f"{share}, then memory was at its end"


def table(result):
    """What the storms found, side by side, for people."""
    storms = result["storms"]
    rows = [("processes that read all of it", _reached),
            ("page tables of the machine", lambda s: format_size(s["page_tables_bytes"])),
            ("  of the processes, each its own", lambda s: format_size(s["processes_vmpte_bytes"])),
            ("  shared by all of them", lambda s: format_size(s["region_page_table_bytes"])),
            ("memory available, of " + format_size(result["machine"].get("memory_bytes", 0)),
             lambda s: format_size(s["mem_available_bytes"])),
            ("all processes need, in page tables", _need),
            ("time", lambda s: f"{s['seconds']:.0f} s")]
    lines = []
    if storms:
        first = storms[0]
        lines = [f"{format_size(first['size_bytes'])} of shared memory ({first['type']}), {first['procs']:,} processes, "
                 f"each reads a word in every {format_size(first['stride_bytes'])}"]
        lines += [f"{'':<38}" + "".join(f"{s['config']:<40}" for s in storms)]
    for label, cell in rows if storms else ():
        lines.append(f"{label:<38}" + "".join(f"{cell(s):<40}" for s in storms).rstrip())
    for error in result.get("errors", []):
        lines.append(f"NOT MEASURED: {error['config']}: {error['error']}")
    return "\n".join(lines)


def _need(storm):
    shared = storm["backend"] == "msharefs"
    return format_size(storm["region_page_table_bytes"] if shared else storm["all_need_bytes"])
