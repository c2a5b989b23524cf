# SPDX-License-Identifier: PostgreSQL
"""Whether a machine can hold a configuration, by arithmetic, before anything is done.

What it cannot hold is refused, and the refusal with its arithmetic is a row of
the report: that a server cannot be run at all is a result, too.
"""

from . import configs, model, pgbench
from .units import GB, KB, MB, format_size

# What a guest has if nothing is said: as kernel/scripts/boot.
DEFAULT_GUEST = 12 * GB
# What the guest needs besides the benchmark: kernel, page cache, overlay.
GUEST_BYTES = GB
# Private memory of a backend (1.5 MB), its kernel stack, its own page tables and its client.
_BYTES_PER_CLIENT = 2 * MB
# Of the server's shared memory: locks and the like for a connection, and a part of what buffers need.
_SHARED_PER_CLIENT = 64 * KB
_SPARE = GB


def shared_memory(what):
    """Bytes of the server's shared memory, roughly."""
    return what.shared_buffers * 103 // 100 + what.clients * _SHARED_PER_CLIENT


def page_tables(what, config):
    """Bytes of page tables for shared memory, by the model."""
    size = shared_memory(what)
    if config.once:
        return model.mshare(size, model.PAGES[config.page], 4).total(what.clients)
    return model.stock(size, model.PAGES[config.page]).total(what.clients)


def needs(what, config):
    """{what for: bytes} that a configuration takes at its peak."""
    return {"page tables": page_tables(what, config),
            "shared memory": shared_memory(what),
            "the data directory": pgbench.data_bytes(what.shared_buffers),
            f"{what.clients} backends and clients": what.clients * _BYTES_PER_CLIENT,
            "the rest": _SPARE}


def refusal(what, name, available):
    """Why a configuration of a set cannot be measured with so many bytes: a row of the summary, or None."""
    config = configs.BY_NAME[name]
    row = {"set": what.name, "config": name, "clients": what.clients, "shared_buffers_bytes": what.shared_buffers,
           "shared_memory_type": what.shared_memory_type}
    reason = config.refuses(what.shared_memory_type)
    if reason:
        return {**row, "reason": reason}
    parts = needs(what, config)
    total = sum(parts.values())
    if total <= available:
        return None
    said = " + ".join(f"{format_size(nbytes)} for {purpose}" if purpose != "page tables" else
                      f"{format_size(nbytes)} of page tables" for purpose, nbytes in parts.items())
    return {**row, "reason": f"would need {said} = {format_size(total)}; {format_size(available)} are available",
            "needed_bytes": total, "available_bytes": available, "page_tables_bytes": parts["page tables"]}


def guest_memory(what, most):
    """Bytes for the guest of a set: what its configurations need, in whole GBs, but no more than there may be."""
    needed = max(sum(needs(what, configs.BY_NAME[name]).values()) for name in what.configs
                 if not configs.BY_NAME[name].refuses(what.shared_memory_type)) + GUEST_BYTES
    return min(-(-needed // GB) * GB, most)
