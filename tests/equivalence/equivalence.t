#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# equivalence.t - random sequences of memory calls observe the same with the library, whatever backend it uses, as
# without it; and the comparison itself notices when they do not.
# Environment: top_builddir; EQUIVALENCE_SEQUENCES (default: 1000) and EQUIVALENCE_SEED (default: 1).
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib/tap.sh"
. "$here/../lib/machine.sh"
: "${top_builddir:?names the build tree}"
program=$top_builddir/tests/equivalence/equivalence
library=$top_builddir/preload/.libs/libmshare_preload.so
spoiler=$top_builddir/tests/equivalence/.libs/libspoil.so
sequences=${EQUIVALENCE_SEQUENCES:-1000}
seed=${EQUIVALENCE_SEED:-1}

for file in "$library" "$spoiler"; do
	[[ -f $file ]] || { echo "Bail out! no $file"; exit 1; }
done
unset "${!MSHARE@}" LD_PRELOAD
machine_keep

# same BACKEND REDIRECTED TOLERATED: at least REDIRECTED mappings of 1000 sequences go to that backend
same() {
	"$program" --library "$library" --backend "$1" --sequences "$sequences" --seed "$seed" \
		--redirected $(($2 * sequences / 1000)) --tolerate "$3"
}

# A library that spoils one thing now and then, and one that spoils nothing
spoiled() {
	local status=0 output
	output=$(SPOIL=$1 "$program" --library "$spoiler" --sequences 300 2>&1) || status=$?
	[[ $status == 1 ]] && grep -q '^DIFFERENT: ' <<<"$output" && grep -q '^plain: ' <<<"$output" &&
		grep -qE "^preloaded: .*$2" <<<"$output" || { echo "exit status $status: $output"; return 1; }
}
ok "a library that does nothing: the same" "$program" --library "$spoiler" --sequences 300
ok "mprotect() fails now and then: a difference" spoiled mprotect 'mprotect.*EACCES'
ok "mincore() tells a page too many or too few: a difference" spoiled mincore 'mincore'
ok "new memory is not empty: a difference" spoiled mmap ''
ok "a process dies: told, and a difference" spoiled crash 'killed by Aborted'

if machine_has_msharefs; then
	ok "msharefs: $sequences sequences" same msharefs 1000 fault-codes,last-pid
else
	ok "none: $sequences sequences" same none 0 ''
	if machine_shmem_huge advise; then
		ok "thp: $sequences sequences" same thp 1000 remap-file-pages
	else
		skip "thp" "this kernel has no huge pages in shared memory"
	fi
	if machine_huge_pages 64; then
		ok "hugetlb: $sequences sequences" same hugetlb 1000 huge-pages,residency,last-pid
	else
		skip "hugetlb" "this machine has no 64 huge pages to spare"
	fi
fi
done_testing
