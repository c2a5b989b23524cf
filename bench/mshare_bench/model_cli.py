# SPDX-License-Identifier: PostgreSQL
"""mshare-model: what page tables a server will need, by arithmetic."""

import json
import subprocess
import sys

from . import model, procfs
from .commands import environment
from .errors import BenchError, UsageError
from .options import Parser, number
from .units import format_size, parse_size

PROGRAM = "mshare-model"
_ORDER = ("PTE", "PMD", "PUD", "P4D", "PGD")

# One row; the settings come with their units worked out.
_QUESTION = """
SELECT current_setting('server_version'),
       (SELECT setting::bigint * 8192 FROM pg_settings WHERE name = 'shared_buffers'),
       (SELECT setting::bigint * 1048576 FROM pg_settings WHERE name = 'shared_memory_size'),
       current_setting('max_connections'), current_setting('huge_pages'),
       current_setting('shared_memory_type'), current_setting('data_directory')
"""
_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


def _parser():
    parser = Parser(
        prog=PROGRAM,
        description="Says by arithmetic how many bytes of page tables each level has "
                    "when many processes have touched all of a shared memory: stock, "
                    "in huge pages, and under mshare.")
    parser.add_argument("--sga", metavar="SIZE", help="size of the shared memory, such as 300G")
    parser.add_argument("--clients", metavar="N", help="processes that touch all of it")
    parser.add_argument("--page", choices=list(model.PAGES), help="pages of this size only (default: all)")
    parser.add_argument("--levels", choices=("4", "5"), default="4", help="of page tables (default: 4)")
    parser.add_argument("--from-server", metavar="DSN",
                        help="ask this server for sizes and connections, and what it has now")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _size(text, option):
    """Bytes of a size that a process can map."""
    nbytes = parse_size(text, option)
    if nbytes > 64 * model.TB:
        raise UsageError(f'{option}: "{text}" is more than a process can map (64T)')
    return nbytes


def parse(arguments):
    """Options, checked; size and clients are numbers or None."""
    options = _parser().parse_args(arguments)
    if not options.from_server and not (options.sga and options.clients):
        raise UsageError("--sga and --clients are needed, or --from-server; see --help")
    options.sga = options.sga and _size(options.sga, "--sga")
    options.clients = options.clients and number(options.clients, "--clients", 1, 10 ** 6)
    options.levels = int(options.levels)
    return options


def predict(size, clients, pages, levels):
    """A list of dictionaries, one for each thing that can be done."""
    found = []
    for page in pages:
        for name, cost in model.costs(size, page, levels).items():
            by_level = {level: clients * cost.each.get(level, 0) + cost.once.get(level, 0) for level in _ORDER}
            found.append({"how": name, "page": page, "each_bytes": sum(cost.each.values()),
                          "once_bytes": sum(cost.once.values()), "levels": by_level,
                          "total_bytes": cost.total(clients)})
    return found


def _psql(dsn, *questions):
    """The rows of all answers, by one connection."""
    try:
        done = subprocess.run(["psql", "-X", "-A", "-t", "-q", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", dsn,
                               *(f"-c{question}" for question in questions)], check=False, text=True, capture_output=True,
                              env={**environment(), "PGAPPNAME": PROGRAM})
    except FileNotFoundError:
        raise UsageError("psql is not to be found: install postgresql-client") from None
    if done.returncode != 0:
        raise UsageError(f"--from-server: {' '.join(done.stderr.split())}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def _live(pids):
    """VmPTE of the backends, if they are processes of this machine that we may look at."""
    found = [process for process in map(procfs.read_process, pids) if process]
    return {"processes": len(found), "vmpte_bytes": sum(p.vmpte_bytes for p in found),
            "minor_faults": sum(p.minor_faults for p in found)}


def _is_here(directory, pids):
    """Whether the server runs on this machine: a backend's process has its data directory."""
    for pid in pids:
        try:
            return (procfs.PROC / str(pid) / "cwd").resolve(strict=True).samefile(directory)
        except OSError:
            continue
    return False


def ask_server(dsn):
    """What a server has been set to, and what its backends have now."""
    settings, *backends = _psql(dsn, _QUESTION, _BACKENDS)
    version, buffers, memory, most, huge, kind, directory = settings
    pids = [int(row[0]) for row in backends]
    here = _is_here(directory, pids)
    return {"version": version, "shared_buffers_bytes": int(buffers), "shared_memory_bytes": int(memory),
            "max_connections": int(most), "huge_pages": huge, "shared_memory_type": kind,
            "backends": len(pids), "live": _live(pids) if here else None}


def _row(words):
    return f"{words[0]:<32}{words[1]:>5}" + "".join(f"{word:>11}" for word in words[2:])


def _text(result):
    lines = []
    server = result.get("server")
    if server:
        lines += [f"PostgreSQL {server['version']}: shared memory {format_size(server['shared_memory_bytes'])} "
                  f"(shared_buffers {format_size(server['shared_buffers_bytes'])}), max_connections "
                  f"{server['max_connections']}, huge_pages {server['huge_pages']}, "
                  f"shared_memory_type {server['shared_memory_type']}"]
        live = server["live"]
        lines += [f"now: {server['backends']} backends" + (
            f", page tables of {live['processes']} of them {format_size(live['vmpte_bytes'])}" if live else
            "; they are not processes of this machine, or not ours to look at (be the server's user, or root)"
            if server["backends"] else ""), ""]
    lines += [f"{result['clients']:,} processes that touch all of {format_size(result['sga_bytes'])} "
              f"of shared memory, {result['levels']} levels of page tables:", "",
              _row(["", "page", "each", "once", *result["columns"], "in all"])]
    for entry in result["predictions"]:
        lines.append(_row([entry["how"], entry["page"], format_size(entry["each_bytes"]), format_size(entry["once_bytes"]),
                           *(format_size(entry["levels"][name]) for name in result["columns"]),
                           format_size(entry["total_bytes"])]))
    return "\n".join(lines)


def run(options):
    """The prediction as a dictionary."""
    server = ask_server(options.from_server) if options.from_server else None
    size = options.sga or server["shared_memory_bytes"]
    clients = options.clients or server["max_connections"]
    pages = [options.page] if options.page else list(model.PAGES)
    result = {"sga_bytes": size, "clients": clients, "levels": options.levels,
              "columns": [name for name in _ORDER if name != "P4D" or options.levels == 5]}
    if server:
        result["server"] = server
    result["predictions"] = predict(size, clients, pages, options.levels)
    return result


def main():
    """Run mshare-model; returns its exit status."""
    try:
        options = parse(sys.argv[1:])
        result = run(options)
        print(json.dumps(result, indent=2) if options.json else _text(result))
        return 0
    except UsageError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except BenchError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
