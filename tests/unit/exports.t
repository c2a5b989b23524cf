#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# exports.t - the library exports what it interposes and mshare.h, without versions, and nothing else.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib/tap.sh"
preload=$here/../../preload
library=${top_builddir:?names the build tree}/preload/.libs/libmshare_preload.so

wanted='_Fork __register_atfork clone madvise mincore mlock mlock2 mlockall mmap mmap64 mprotect mremap mshare_attachment mshare_prefault mshare_query
mshare_reason_text mshare_region_stats mshare_stats mshare_version msync munlock munlockall munmap
pkey_mprotect posix_madvise process_madvise remap_file_pages shmat shmdt shmget syscall'

exports() {
	nm -D --defined-only "$library" | awk '{ print $3 }' | LC_ALL=C sort
}

# A program's reference is mmap@GLIBC_2.2.5: with the library, ld.so must bind it there.
binds() {
	LD_DEBUG=bindings LD_PRELOAD=$library /usr/bin/python3 -c 'pass' 2>&1 >/dev/null |
		grep 'python3.*to.*libmshare_preload.so.*symbol .mmap' || { echo "no mmap of python3 binds to the library"; return 1; }
}

is "exported symbols" "$(exports)" "$(tr -s ' ' '\n' <<<"$wanted" | LC_ALL=C sort)"
is "all of mshare.h is exported" "$(grep -oE '\bmshare_[a-z_]+\(' "$preload/mshare.h" | tr -d '(' | sort -u | comm -23 - <(exports))" ''
ok "versioned references bind to them" binds
is "no library but libc is needed" \
	"$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v -e '^libasan' -e '^libubsan' | xargs)" libc.so.6
is "malloc and free are not used" "$(nm -D --undefined-only "$library" | awk '{ print $2 }' | grep -E '^(malloc|calloc|realloc|free)(@|$)' | xargs)" ''
done_testing
