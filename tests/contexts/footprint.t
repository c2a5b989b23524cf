#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# footprint.t - what the library adds to the memory and the page tables of a process: at most 100 kB and 8 kB, whether
# it has shared memory or not. Median of many runs: where the kernel puts things decides on a page table more or less.
# Among others that have the library too, as a server's processes are: text that all of them run is no process's own.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib/tap.sh"
. "$here/../lib/machine.sh"
program=${top_builddir:?names the build tree}/tests/contexts/footprint
library=$top_builddir/preload/.libs/libmshare_preload.so
runs=21
others=8
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
[[ -f $library ]] || { echo "Bail out! no $library"; exit 1; }
unset "${!MSHARE@}" LD_PRELOAD
export MSHARE_LOG=error

# with BACKEND MEGABYTES [stay]
with() {
	MSHARE_BACKEND=$1 LD_PRELOAD=$library "$program" "${@:2}"
}

# start_others BACKEND MEGABYTES: they stay until descriptor 3 is closed
start_others() {
	local i
	mkfifo "$work/stay" || return
	: >"$work/others"
	for ((i = 0; i < others; i++)); do
		with "$@" stay <"$work/stay" >>"$work/others" &
	done
	exec 3>"$work/stay"
	for ((i = 0; i < 600; i++)); do
		(($(wc -l <"$work/others") < others)) || return 0
		sleep 0.1
	done
	echo "$(wc -l <"$work/others") of $others other processes have started in a minute"
	return 1
}

# measure_pairs BACKEND MEGABYTES
measure_pairs() {
	local i
	: >"$work/without"
	: >"$work/with"
	for ((i = 0; i < runs; i++)); do
		"$program" "$2" >>"$work/without" || return
		with "$@" >>"$work/with" || return
	done
}

# measure BACKEND MEGABYTES: pairs of runs, without and with the library
measure() {
	local status=0
	start_others "$@" && measure_pairs "$@" || status=$?
	exec 3>&-
	wait
	rm -f "$work/stay"
	return "$status"
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
