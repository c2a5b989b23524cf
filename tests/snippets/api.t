#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# api.t - the functions of mshare.h do what mshare(3) says, with every backend that this kernel has.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib/tap.sh"
. "$here/../lib/machine.sh"
build=${top_builddir:?names the build tree}
machine_keep
unset "${!MSHARE@}" LD_PRELOAD

# api BACKEND
api() {
	LD_PRELOAD=$build/preload/.libs/libmshare_preload.so MSHARE_BACKEND=$1 MSHARE_MIN_SIZE=1MB MSHARE_LOG=error \
		timeout 120 "$build/tests/snippets/api" "$1"
}

((EUID == 0)) || skip_all "needs root: for a mount, locked memory and huge pages"
machine_huge_pages 16 || skip_all "this machine has no 16 huge pages to spare"
backends=(none hugetlb)
machine_shmem_huge advise && backends+=(thp)
if machine_has_msharefs; then backends+=(msharefs); fi
for backend in "${backends[@]}"; do
	ok "$backend: mshare.h is as mshare(3) says" api "$backend"
done
done_testing
