# SPDX-License-Identifier: PostgreSQL
"""Matrices: which servers are measured with how many clients, and by what.

A matrix is a TOML file of lists.  Every combination of shared_buffers,
shared_memory_type and clients is a set: its configurations are measured one
after the other on the same kernel and data, so that they can be compared.
"""

import dataclasses
import pathlib
import tomllib

from . import configs, workloads
from .errors import UsageError
from .options import choices, number
from .units import GB, KB, MB, parse_size

_HERE = pathlib.Path(__file__).resolve().parent
SMALLEST_BUFFERS = 128 * MB
MAX_CLIENTS = 20000
TYPES = ("mmap", "sysv")
_LISTS = ("configs", "shared_memory_type", "clients", "shared_buffers", "workloads")
_NUMBERS = ("seconds", "rounds")


@dataclasses.dataclass(frozen=True)
class Set:
    """What is measured together; sizes in bytes."""
    clients: int
    shared_buffers: int
    shared_memory_type: str
    configs: tuple
    workloads: tuple
    seconds: int
    rounds: int

    @property
    def name(self):
        """Also the name of its folder."""
        size = self.shared_buffers
        buffers = next(f"{size // factor}{unit}" for factor, unit in ((GB, "GB"), (MB, "MB"), (KB, "kB"))
                       if size % factor == 0)
        return f"{self.shared_memory_type}-{self.clients}-{buffers}"

    def to_json(self):
        """As it stands in files and on the command line of the guest."""
        return dataclasses.asdict(self)


def from_json(found):
    """The Set of such a dictionary."""
    return Set(**{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()})


def folder(package_dir=_HERE):
    """Where the matrices lie: beside the package, in the tree and installed."""
    return package_dir.parent / "matrices"


def names():
    """The matrices that can be named without their path."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def described():
    """The same, each with what its file says of it."""
    lines = {name: (folder() / f"{name}.toml").read_text().splitlines()[1] for name in names()}
    return "\n".join(f"  {name:<9}{line.partition(' - ')[2]}" for name, line in lines.items())


def load(name):
    """The lists of a matrix, by its name or its file's path."""
    path = folder() / f"{name}.toml"
    if not path.exists():
        path = pathlib.Path(name)
    try:
        found = tomllib.loads(path.read_text())
    except OSError:
        raise UsageError(f'--matrix: there is no matrix "{name}"; expected a file, or one of '
                         f"{', '.join(names())}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"--matrix: {path}: {error}") from None
    for key in found:
        if key not in _LISTS + _NUMBERS:
            raise UsageError(f'--matrix: {path}: "{key}" means nothing; expected '
                             f"{', '.join(_LISTS + _NUMBERS)}")
    # Everything is text up to the check, as if it came from the command line.
    return {key: ",".join(map(str, value)) if isinstance(value, list) else str(value)
            for key, value in found.items()}


def _option(key):
    return f"--{key.replace('_', '-')}"


def _numbers(text, option, least, most):
    values = [number(word, option, least, most) for word in text.split(",")]
    if len(set(values)) != len(values):
        raise UsageError(f'{option}: "{text}" names a number twice')
    return values


def _sizes(text):
    values = [parse_size(word, "--shared-buffers") for word in text.split(",")]
    for value in values:
        if value < SMALLEST_BUFFERS:
            raise UsageError("--shared-buffers must be at least 128 MB")
    return values


def sets(given):
    """All sets of a matrix given as texts by key; an error names the option of that key."""
    for key in _LISTS + _NUMBERS:
        if key not in given:
            raise UsageError(f"--matrix: it does not say {key}, and {_option(key)} is not given")
    chosen = tuple(choices(given["configs"], "--configs", configs.NAMES, "configuration"))
    what = tuple(choices(given["workloads"], "--workloads", workloads.NAMES, "workload"))
    kinds = choices(given["shared_memory_type"], "--shared-memory-type", TYPES, "type")
    seconds = number(given["seconds"], "--seconds", 5, 3600)
    rounds = number(given["rounds"], "--rounds", 1, 100)
    return [Set(clients, size, kind, chosen, what, seconds, rounds)
            for size in _sizes(given["shared_buffers"])
            for kind in kinds
            for clients in _numbers(given["clients"], "--clients", 1, MAX_CLIENTS)]
