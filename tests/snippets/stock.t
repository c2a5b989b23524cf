#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# stock.t - the backends for stock kernels: what they save, what they refuse and why, and that memory that is there
# stays there. Environment: top_builddir; STOCK_MB (default: 4096), of which 64 processes write each page.
set -u
exec 3>&1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib/tap.sh"
. "$here/../lib/machine.sh"
program=${top_builddir:?names the build tree}/tests/snippets/stock
library=$top_builddir/preload/.libs/libmshare_preload.so
megabytes=${STOCK_MB:-4096}
processes=64
work=$(mktemp -d) || exit 1
machine_keep
trap 'rm -rf "$work"; machine_restore' EXIT
unset "${!MSHARE@}" LD_PRELOAD

# stock KIND MEGABYTES PROCESSES VARIABLE=VALUE... [WRAPPER...]: one line in $result; lines of the library's in $work/err
stock() {
	result=$(timeout 300 env LD_PRELOAD="$library" "${@:4}" "$program" "$1" "$2" "$3" 2>"$work/err")
}

# value NAME: of $result
value() {
	sed -En "s/(^|.* )$1=(-?[^ ]*).*/\2/p" <<<"$result"
}

# has NAME=VALUE...: are all of them in $result?
has() {
	local word
	for word; do
		[[ " $result " == *" $word "* ]] || { echo "$word expected in: $result"; cat "$work/err"; return 1; }
	done
}

# at_most NAME LIMIT, also where it is below zero: something else gave as much back
at_most() {
	local got
	got=$(value "$1")
	((${got#-} <= $2)) || { echo "$1 is above $2: $result"; return 1; }
}

# What 64 processes with page tables of their own pay is a page for each GB and process; shared, it is nothing: all
# have them as soon as the first has. So a quarter of that is the limit, and memory that the kernel cannot share is to
# be above it. PageTables is the whole machine's, where others may work: one of some tries has to be so.
unshared=$((processes * 4 * megabytes / 1024))
tries=6
# tables KIND MEGABYTES: measures, with $result
tables() {
	stock "$1" "$2" "$processes" MSHARE_BACKEND=hugetlb
	echo "# $1, $2 MB, $processes processes: $result" >&3
	has bad=0 wrong=0
}
# shared_tables KIND MEGABYTES NAME=VALUE...
shared_tables() {
	local try
	for ((try = 0; try < tries; try++)); do
		tables "$1" "$2" && has backend=hugetlb remainder=0 "${@:3}" &&
			at_most faults $(($2 / 512 + 8)) || return
		! at_most all $((processes * $2 / 1024)) >/dev/null || return 0
	done
	at_most all $((processes * $2 / 1024))
}
unshared_tables() {
	local library='' try
	for ((try = 0; try < tries; try++)); do
		tables odd "$megabytes" || return
		at_most all $((unshared / 4)) >/dev/null || return 0
	done
	echo "not more than a quarter of $unshared kB: $result"
	return 1
}

if machine_huge_pages $((megabytes / 2 + 2)); then
	ok "huge pages that are not shared cost 64 processes more than the limit" unshared_tables
	ok "hugetlb: page tables of 64 processes are those of one" shared_tables anonymous "$megabytes"
	ok "hugetlb: the same for a segment of huge pages" shared_tables huge-segment "$megabytes" nattch=1 detached=1
	ok "hugetlb: and for a segment that becomes one" shared_tables segment "$megabytes" nattch=1 detached=1
else
	skip "hugetlb: page tables of 64 processes" "this machine has no $megabytes MB of huge pages to spare"
fi

# with_room NAME COMMAND...: ok, where the machine has what these tests need
with_room() {
	if $room; then ok "$@"; else skip "$1" "this machine has no 132 MB of huge pages to spare"; fi
}
room=false
! machine_huge_pages 66 || room=true

# Nobody can take away what is there: all other huge pages go back while the children write.
stays() {
	machine_huge_pages 66 || return
	LD_PRELOAD=$library MSHARE_BACKEND=hugetlb "$program" anonymous 128 200 >"$work/out" &
	local pid=$!
	# Not before they are all in use: pages that nobody has may go.
	while kill -0 "$pid" 2>/dev/null && (($(<"${machine_nr_hugepages%/*}/free_hugepages") > 2)); do
		sleep 0.01
	done
	echo 0 >"$machine_nr_hugepages"
	wait "$pid" || return
	result=$(<"$work/out")
	has backend=hugetlb bad=0 wrong=0
}
with_room "hugetlb: memory stays, whatever becomes of the other huge pages" stays

# One page less than it takes; SIGBUS would end a child
too_few() {
	machine_huge_pages 63 || return
	stock "$1" 128 4 MSHARE_BACKEND=hugetlb MSHARE_MIN_SIZE=1MB
	has bad=0 wrong=0 && at_most faults 40000 && grep -q "not enough free huge pages" "$work/err" || return
	[[ $1 == segment ]] || has backend=none reason=10
	(($(<"${machine_nr_hugepages%/*}/free_hugepages") >= 63))
}
with_room "hugetlb: with one page too few, ordinary memory, and a line that says so" too_few anonymous
with_room "hugetlb: the same for a segment" too_few segment
strict() {
	stock anonymous 128 4 MSHARE_BACKEND=hugetlb MSHARE_STRICT=1
	has failed=ENOMEM && grep -q "error: .*not enough free huge pages" "$work/err"
}
with_room "hugetlb, MSHARE_STRICT: then mmap fails" strict
automatic() {
	machine_shmem_huge never
	stock anonymous 128 4 MSHARE_BACKEND=hugetlb,thp && has backend=none bad=0 || return
	machine_shmem_huge advise
	stock anonymous 128 4 MSHARE_BACKEND=hugetlb,thp && has backend=thp bad=0
}
with_room "a list: the next one, if there is one that can" automatic
never() {
	machine_huge_pages 66
	stock anonymous 128 4 MSHARE_BACKEND=hugetlb MSHARE_HUGE=never
	has backend=none reason=11 bad=0 && grep -q MSHARE_HUGE=never "$work/err"
}
with_room "MSHARE_HUGE=never: refused, for that reason" never
# The rights of a server's user: no capability, no memory to lock, not in the group
no_rights() {
	stock segment 128 4 MSHARE_BACKEND=hugetlb setpriv --regid=65534 --clear-groups --bounding-set=-ipc_lock \
		--inh-caps=-ipc_lock prlimit --memlock=65536
	has bad=0 wrong=0 && grep "vm.hugetlb_shm_group has to be a group" "$work/err" && ! grep "not enough" "$work/err"
}
with_room "hugetlb: a segment where vm.hugetlb_shm_group forbids it: ordinary memory, and a line that says so" no_rights
machine_huge_pages 0

thp() {
	machine_shmem_huge advise || return
	stock "$1" 128 8 MSHARE_BACKEND=thp
	has backend=thp bad=0 wrong=0 && at_most faults $((64 + 16)) && [[ $(value pmd_mapped) == $((128 * 1024)) ]]
}
ok "thp: anonymous memory in huge pages, a fault for each" thp anonymous
ok "thp: the same for a segment" thp segment
thp_refused() {
	machine_shmem_huge never || return
	stock anonymous 128 4 MSHARE_BACKEND=thp
	has backend=none reason=12 bad=0 && grep -q shmem_enabled "$work/err"
}
ok "thp: refused where shmem_enabled does not allow it" thp_refused
none() {
	stock anonymous 128 4 MSHARE_BACKEND=none
	has bad=0 backend=none reason=15 && [[ ! -s $work/err ]]
}
ok "none: ordinary, without a word" none
ok "no segment, huge page or file is left" machine_nothing_left
done_testing
