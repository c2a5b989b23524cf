# SPDX-License-Identifier: PostgreSQL
"""mshare-bench: what the shared memory of PostgreSQL costs in page tables."""
