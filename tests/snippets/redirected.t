#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# redirected.t - on a kernel with msharefs, page tables are really shared: /proc is the witness (redirected.c).
set -u
. "$(dirname "${BASH_SOURCE[0]}")/../lib/tap.sh"
top=${top_builddir:?names the build tree}

grep -qw msharefs /proc/filesystems || skip_all "this kernel has no msharefs (make check-vm boots one that has)"
exec env MSHARE_STRICT=1 "$top/preload/mshare-run" "$top/tests/snippets/redirected"
