# SPDX-License-Identifier: PostgreSQL
"""What the command lines of all commands have in common."""

import argparse
import pathlib
import textwrap

from .errors import UsageError
from .units import parse_size


class Parser(argparse.ArgumentParser):
    """One line for an error, without the usage; of texts in --help, lines are as they are written."""

    def __init__(self, description, **more):
        if "\n" not in description:
            description = textwrap.fill(description, 78)
        super().__init__(allow_abbrev=False, description=description,
                         formatter_class=argparse.RawDescriptionHelpFormatter, **more)

    def error(self, message):
        raise UsageError(f"{message}; see --help")


def add_where(parser):
    """Where something is measured."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--vm", dest="native", action="store_false", default=False,
                       help="measure in a guest with the msharefs kernel (default)")
    where.add_argument("--native", action="store_true",
                       help="measure on this kernel; huge pages and shmem_enabled of this machine are changed for the "
                            "configurations that need it, and then put back")
    parser.add_argument("--kernel", metavar="BZIMAGE", type=pathlib.Path,
                        help="kernel for the guest (default: kernel/scripts/build)")
    parser.add_argument("--mem", metavar="SIZE", help="memory of the guest (default: what is needed, at most 12GB; storm: 16GB)")
    parser.add_argument("--cpus", metavar="N", help="processors of the guest")
    parser.add_argument("--accel", choices=("auto", "kvm", "tcg"), default="auto",
                        help="how the guest is run (default: auto)")
    parser.add_argument("--build-dir", metavar="DIR", type=pathlib.Path,
                        help="top of the build tree with programs and libraries")


def check_where(options):
    """Turn these options into what they stand for."""
    options.mem = options.mem and parse_size(options.mem, "--mem")
    options.cpus = options.cpus and number(options.cpus, "--cpus", 1, 1024)
    if options.kernel and not options.kernel.is_file():
        raise UsageError(f"--kernel: {options.kernel} is not a file")
    options.out = options.out.resolve()


def number(text, option, least, most):
    """A number of the command line."""
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise UsageError(f'{option}: "{text}" is not a number from {least} to {most}')
    return int(text)


def choices(text, option, known, what):
    """A list of the command line, of which each word is known and none comes twice."""
    words = text.split(",")
    for word in words:
        if word not in known:
            raise UsageError(f'{option}: there is no {what} "{word}"; '
                             f"expected some of {', '.join(known)}")
    if len(set(words)) != len(words):
        raise UsageError(f'{option}: "{text}" names a {what} twice')
    return words
