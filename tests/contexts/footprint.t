#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# footprint.t - what the library adds to the memory and the page tables of a process: at most 100 kB and 8 kB, whether
# it has shared memory or not. Median of many runs: where the kernel puts things decides on a page table more or less.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib/tap.sh"
. "$here/../lib/machine.sh"
program=${top_builddir:?names the build tree}/tests/contexts/footprint
library=$top_builddir/preload/.libs/libmshare_preload.so
runs=21
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
[[ -f $library ]] || { echo "Bail out! no $library"; exit 1; }
unset "${!MSHARE@}" LD_PRELOAD
export MSHARE_LOG=error

# measure BACKEND MEGABYTES: pairs of runs, without and with the library
measure() {
	local i
	: >"$work/without"
	: >"$work/with"
	for ((i = 0; i < runs; i++)); do
		"$program" "$2" >>"$work/without" || return
		MSHARE_BACKEND=$1 LD_PRELOAD=$library "$program" "$2" >>"$work/with" || return
	done
}

# median FILE COLUMN
median() {
	cut -d ' ' -f "$2" "$1" | sort -n | sed -n "$((runs / 2 + 1))p"
}

# adds COLUMN LIMIT: no more kB than that
adds() {
	local without with
	without=$(median "$work/without" "$1")
	with=$(median "$work/with" "$1")
	[[ -n $without && -n $with ]] && ((with - without <= $2)) ||
		{ echo "${without:-?} kB without, ${with:-?} with the library, $2 more allowed"; return 1; }
}

# limits NAME BACKEND MEGABYTES
limits() {
	ok "$1: measured" measure "$2" "$3"
	echo "# $1: page tables $(median "$work/without" 1) and $(median "$work/with" 1) kB," \
		"memory $(median "$work/without" 2) and $(median "$work/with" 2) kB"
	ok "$1: at most 8 kB of page tables more" adds 1 8
	ok "$1: at most 100 kB of memory more" adds 2 100
}

limits "a process without shared memory" auto 0
limits "64 MB of shared memory that stays ordinary" none 64
if machine_has_msharefs; then limits "64 MB in msharefs" msharefs 64; fi
done_testing
