# SPDX-License-Identifier: PostgreSQL
"""Sizes as people write them, and for people to read."""

import re

from .errors import UsageError

KB = 1024
MB = 1024 * KB
GB = 1024 * MB

_UNITS = {"K": KB, "M": MB, "G": GB, "T": 1024 * GB}


def parse_size(text, option):
    """Bytes of a size such as 300GB (as in postgresql.conf) or 300G; the option is named in the complaint."""
    match = re.fullmatch(r"([0-9]+)([KMGT])B?", text.upper())
    if not match or int(match.group(1)) == 0:
        raise UsageError(f'{option}: "{text}" is not a size; expected a whole number and a unit '
                         "(K, M, G or T, or kB, MB, GB, TB), such as 300GB")
    return int(match.group(1)) * _UNITS[match.group(2)]


def format_size(nbytes):
    """Bytes with three digits that mean something: 2.08 GB, 51.3 kB."""
    for unit, factor in (("GB", GB), ("MB", MB), ("kB", KB)):
        if abs(nbytes) >= factor:
            value = nbytes / factor
            digits = 2 if value < 10 else 1 if value < 100 else 0
            return f"{value:.{digits}f} {unit}"
    return f"{nbytes} B"
