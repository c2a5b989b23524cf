#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# mshare-run.t - the wrapper's options, environment and exit status; and what the library says of bad options.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib/tap.sh"
. "$here/../lib/machine.sh"
run=${top_builddir:?names the build tree}/preload/mshare-run
library=$(readlink -f "$top_builddir/preload/.libs/libmshare_preload.so")
work=$(mktemp -d) || exit 1
machine_keep
trap 'rm -rf "$work"; machine_restore' EXIT
unset "${!MSHARE@}" LD_PRELOAD

# exits STATUS ARGUMENT...: mshare-run with these arguments ends so; its output is left in $work
exits() {
	local wanted=$1 status=0
	shift
	"$run" "$@" >"$work/out" 2>"$work/err" || status=$?
	[[ $status == "$wanted" ]] || { echo "exit status $status, wanted $wanted"; cat "$work/out" "$work/err"; return 1; }
}

# refuses TEXT ARGUMENT...: one line on stderr with TEXT in it, exit status 2
refuses() {
	local text=$1
	shift
	exits 2 "$@" || return 1
	[[ $(wc -l <"$work/err") == 1 ]] && grep -qF -- "$text" "$work/err" || { cat "$work/err"; return 1; }
}

# shows NAME=VALUE ARGUMENT...: the command sees this in its environment
shows() {
	local line=$1
	shift
	exits 0 "$@" -- env || return 1
	grep -qxF -- "$line" "$work/out" || { cat "$work/out"; return 1; }
}

ok "--help" exits 0 --help
ok "--version" exits 0 --version
ok "the command's exit status" exits 7 -- sh -c 'exit 7'
ok "no command" refuses "no command"
ok "unknown option" refuses "'--frobnicate'" --frobnicate true
ok "an option without its value" refuses "--mount needs a value" --mount
ok "an empty value" refuses "--backend needs a value" --backend= true
ok "a size that is too large" refuses "'99999999999999999999TB' makes no sense; expected a number of bytes" \
	--min-size 99999999999999999999TB true
ok "a size that is none" refuses "'big'" --min-size big true
ok "a level that is none" refuses "'loud'" --log=loud true
ok "a relative mount" refuses "'here'" --mount here true
for list in swap msharefs,swap thp,thp none,thp auto,thp thp,,none 'thp,'; do
	ok "a backend that is none: '$list'" refuses \
		"'$list' makes no sense; expected auto, or a list of" --backend "$list" -- true
done
ok "--backend" shows MSHARE_BACKEND=THP,none --backend THP,none
ok "a command with --status" refuses "'true'" --status true
ok "command not found" exits 127 no-such-command
ok "path not found" exits 127 /no/such/command
ok "command not executable" exits 126 /etc/passwd
ok "command is a directory" exits 126 /tmp
ok "--min-size" shows MSHARE_MIN_SIZE=1GB --min-size 1GB
ok "--mount" shows MSHARE_MOUNT=/mnt/x --mount=/mnt/x
ok "--log" shows MSHARE_LOG=info --log info
ok "--strict" shows MSHARE_STRICT=1 --strict
ok "--off" shows MSHARE=off --off
ok "LD_PRELOAD" shows "LD_PRELOAD=$library"
export LD_PRELOAD=/lib/x86_64-linux-gnu/libm.so.6
ok "LD_PRELOAD keeps what was there" shows "LD_PRELOAD=$library:$LD_PRELOAD"
export LD_PRELOAD=/lib/x86_64-linux-gnu/libm.so.6:$library
ok "and is not given twice" shows "LD_PRELOAD=$LD_PRELOAD"
unset LD_PRELOAD
ok "says what will be used" grep -q 'shared memory' "$work/err"
status() {
	local status=0
	"$run" --status >"$work/out" 2>&1 || status=$?
	# 0 if page tables would be shared, which it also says, else 1
	if grep -q '^would use: nothing' "$work/out"; then [[ $status == 1 ]]; else [[ $status == 0 ]]; fi
}
ok "--status exits by what it says" status
is "--status names library, kernel, mount, backends and use" "$(cut -d: -f1 "$work/out" | xargs)" \
	"library kernel mount hugetlb thp would use"
chosen() {
	MSHARE_BACKEND=none "$run" --status | grep -q '^would use: nothing, MSHARE_BACKEND=none' || return
	! grep -q '\[advise\]' /sys/kernel/mm/transparent_hugepage/shmem_enabled ||
		"$run" --backend thp,none --status | grep -q '^would use: thp,'
}
ok "--status goes by MSHARE_BACKEND" chosen
# unused TEXT VARIABLE=VALUE...: nothing would be used, says --status, because TEXT; and a command is told the same
unused() {
	local status=0
	env "${@:2}" "$run" --status >"$work/out" 2>&1 || status=$?
	env "${@:2}" "$run" true 2>>"$work/out"
	[[ $status == 1 ]] && grep -qxF "would use: nothing, $1" "$work/out" &&
		grep -qxF "mshare-run: $1: shared memory stays ordinary" "$work/out" || { cat "$work/out"; return 1; }
}
# same_use VARIABLE=VALUE...: as without
same_use() {
	"$run" --status >"$work/without"
	env "$@" "$run" --status >"$work/out"
	diff "$work/without" "$work/out"
}
for value in off 0 no false OFF False; do
	ok "--status: MSHARE=$value is off" unused "MSHARE=$value" MSHARE="$value"
done
for value in on 1 yes true ON ''; do
	ok "--status: MSHARE=$value is on" same_use MSHARE="$value"
done
# refused VARIABLE=VALUE EXPECTED: as the library says it
refused() {
	unused "${1%%=*}=\"${1#*=}\" makes no sense: expected $2" "$1"
}
ok "--status names a word that makes no sense" refused MSHARE=perhaps "on or off"
ok "and an unknown backend" refused MSHARE_BACKEND=swap \
	"auto, or a list of msharefs, hugetlb, thp, none, such as msharefs,thp"
ok "and a bad MSHARE_HUGE" refused MSHARE_HUGE=always "never or advise"
ok "and a bad MSHARE_LOG" refused MSHARE_LOG=loud "error, warn, info or debug"
ok "and a bad MSHARE_LOG_FILE" refused MSHARE_LOG_FILE=log "the absolute path of a file, below 256 bytes"
for size in foo 99999999999999999999TB; do
	ok "and MSHARE_MIN_SIZE=$size" refused MSHARE_MIN_SIZE=$size \
		"a number of bytes, or one with kB, MB, GB or TB, such as 64MB"
done
ok "and a bad MSHARE_MOUNT" refused MSHARE_MOUNT=here "the absolute path of an msharefs mount, below 256 bytes"
ok "and a bad MSHARE_PREFAULT" refused MSHARE_PREFAULT=all "0 or 1"
ok "and a bad MSHARE_STRICT" refused MSHARE_STRICT=2 "0 or 1"
# announces TEXT VARIABLE=VALUE...: what a command is told
announces() {
	env "${@:2}" "$run" true 2>"$work/err"
	grep -qF -- "$1" "$work/err" || { cat "$work/err"; return 1; }
}
no_huge_page=(MSHARE_HUGE=never MSHARE_BACKEND=thp)
ok "what becomes of shared memory" announces "MSHARE_HUGE=never: shared memory stays ordinary" "${no_huge_page[@]}"
ok "and with MSHARE_STRICT" announces "MSHARE_HUGE=never: shared memory from 1GB up fails with ENOMEM" \
	"${no_huge_page[@]}" MSHARE_STRICT=on MSHARE_MIN_SIZE=1GB
ok "and what MSHARE_STRICT is not about: none" announces "MSHARE_HUGE=never: shared memory stays ordinary" \
	MSHARE_HUGE=never MSHARE_BACKEND=thp,none MSHARE_STRICT=1
ok "and off" announces "MSHARE=off: shared memory stays ordinary" MSHARE=off MSHARE_STRICT=1
ok "--status: AUTO is auto" same_use MSHARE_BACKEND=AUTO
ok "--status: MSHARE_HUGE=never keeps from huge pages" unused MSHARE_HUGE=Never \
	MSHARE_HUGE=Never MSHARE_BACKEND=hugetlb,thp
ok "--status: MSHARE_HUGE=advise does not" same_use MSHARE_HUGE=advise

# look_at_process BACKEND: a process with 100 MB of shared memory; what --pid says of it, between twice its VmPTE
look_at_process() {
	# shellcheck disable=SC2016 # the shell's that Python starts
	LD_PRELOAD=$library MSHARE_BACKEND=$1 /usr/bin/python3 -c '
import mmap, subprocess, sys
m = mmap.mmap(-1, 100 << 20)
for i in range(0, 100 << 20, 4096): m[i] = 1
pid = "grep ^VmPTE: /proc/$PPID/status; \"$0\" --pid $PPID && grep ^VmPTE: /proc/$PPID/status"
sys.exit(subprocess.call(["/bin/sh", "-c", pid, sys.argv[1]], env={}))' "$run" >"$work/out"
}
# Python may go on for a moment, and have one page table more.
process() {
	look_at_process "$1"
	while (($(grep '^VmPTE:' "$work/out" | sort -u | wc -l) > 1)); do
		look_at_process "$1"
	done
}
# tells KILOBYTES HOW SAVED: the memory, the page tables that it has, and SAVED kB more without sharing
tells() {
	local has
	has=$(sed -En 's/^VmPTE:[[:space:]]*([0-9]+) kB/\1/p' "$work/out" | sort -u)
	grep -q '^library:  loaded' "$work/out" && grep -q "^memory:   0x[0-9a-f]*, $1 kB there, $2\$" "$work/out" &&
		grep -q "^page tables: $has kB; about $((has + $3)) kB if" "$work/out" || { cat "$work/out"; return 1; }
}
process none
ok "--pid tells memory and page tables; ordinary memory has none to save" tells 102400 ordinary 0
if machine_huge_pages 50; then
	process hugetlb
	ok "--pid: huge pages have 8 bytes less for each 4 kB" tells 102400 hugetlb 200
else
	skip "--pid: huge pages" "this machine has no 50 huge pages to spare"
fi
ok "--pid of no process" refuses "no such process" --pid 99999999
ok "--pid of no number" refuses "the number of a process" --pid postgres

# The library itself: a line names the value, and the program runs as if it were not there.
says() {
	env LD_PRELOAD="$library" "$1" /bin/true 2>"$work/err" || { echo "the program failed"; return 1; }
	[[ $(wc -l <"$work/err") == 1 ]] && grep -qF "${1%%=*}=\"${1#*=}\"" "$work/err" || { cat "$work/err"; return 1; }
}
for value in MSHARE=perhaps MSHARE_MIN_SIZE=big MSHARE_MOUNT=here MSHARE_LOG=loud MSHARE_STRICT=2 \
	MSHARE_BACKEND=swap MSHARE_HUGE=always MSHARE_PREFAULT=all MSHARE_LOG_FILE=log; do
	ok "the library names $value" says "$value"
done
silent() {
	[[ -z $(env LD_PRELOAD="$library" "$@" /bin/true 2>&1) ]]
}
ok "and is silent without a mistake" silent MSHARE=on MSHARE_MIN_SIZE='1 GB'

# 100 MB of shared memory, with and without msharefs
big='import mmap; m = mmap.mmap(-1, 100 << 20); m[0] = 1; m.close()'
absent() {
	env LD_PRELOAD="$library" MSHARE_BACKEND=msharefs MSHARE_MOUNT="$1" "${@:2}" /usr/bin/python3 -c "$big; $big" 2>"$work/err"
}
one_line() {
	absent "$1" && [[ $(grep -c '^mshare' "$work/err") == 1 ]] && grep -qF "$1" "$work/err" || { cat "$work/err"; return 1; }
}
ok "no msharefs: works, one line" one_line /no/such/mount
ok "another filesystem: works, one line" one_line /tmp
strict() {
	! absent /no/such/mount MSHARE_STRICT=1 && grep -q 'Cannot allocate memory' "$work/err" && grep -q MSHARE_STRICT "$work/err"
}
ok "MSHARE_STRICT: ENOMEM, and a line that says so" strict
off() {
	absent /no/such/mount MSHARE_STRICT=1 MSHARE=off && [[ ! -s $work/err ]]
}
ok "MSHARE=off: nothing" off
none() {
	absent /no/such/mount MSHARE_STRICT=1 MSHARE_BACKEND=none && [[ ! -s $work/err ]]
}
ok "MSHARE_BACKEND=none: nothing, and nothing fails" none
program() {
	absent /no/such/mount MSHARE_STRICT=1 MSHARE_PROGRAMS=postgres:/usr/bin/env && [[ ! -s $work/err ]] &&
		! absent /no/such/mount MSHARE_STRICT=1 MSHARE_PROGRAMS="postgres:$(basename "$(readlink -f /usr/bin/python3)")"
}
ok "MSHARE_PROGRAMS: in those, and no other" program
log_file() {
	rm -f "$work/log"
	absent /no/such/mount MSHARE_LOG_FILE="$work/log" && [[ ! -s $work/err && $(grep -c '^mshare' "$work/log") == 1 ]]
}
ok "MSHARE_LOG_FILE: there, and not on stderr" log_file
no_log_file() {
	absent /no/such/mount MSHARE_LOG_FILE=/no/such/folder/log && [[ $(grep -c '^mshare' "$work/err") == 1 ]]
}
ok "MSHARE_LOG_FILE that cannot be opened: stderr" no_log_file
done_testing
