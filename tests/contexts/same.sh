# shellcheck shell=bash
# SPDX-License-Identifier: PostgreSQL
# same.sh - runs snippets with and without the library in some context or environment. Sourced.
#
# Sets: programs (the snippets' folder), here_programs (this folder's, built), library, work (a folder for everything).
# Backends: $backends, those that this kernel has.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib/tap.sh"
. "$here/../lib/machine.sh"
# shellcheck disable=SC2034 # for those who source this
programs=${top_builddir:?names the build tree}/tests/snippets
# shellcheck disable=SC2034
here_programs=$top_builddir/tests/contexts
library=$(readlink -f "$top_builddir/preload/.libs/libmshare_preload.so")
work=$(mktemp -d) || exit 1
chmod 755 "$work"
unset "${!MSHARE@}" LD_PRELOAD
machine_keep
trap 'rm -rf "$work"; machine_restore' EXIT
[[ -f $library ]] || { echo "Bail out! no library below $top_builddir"; exit 1; }

on_msharefs=false
backends=(none)
if machine_has_msharefs; then
	# shellcheck disable=SC2034
	on_msharefs=true
	backends+=(msharefs)
fi
machine_shmem_huge advise && backends+=(thp)
machine_huge_pages 16 && backends+=(hugetlb)
echo "# backends: ${backends[*]}"

# run NAME PRELOAD COMMAND...: leaves what it prints, and how it ends, in $work/NAME; stderr in $work/NAME.err.
# PRELOAD: value of LD_PRELOAD
run() {
	local name=$1 preload=$2 status=0
	shift 2
	rm -f "$work/report"
	timeout --signal=KILL 120 "${wrapper[@]}" env LD_PRELOAD="$preload" MSHARE_MIN_SIZE=1MB SNIPPET_REPORT="$work/report" "$@" \
		 >"$work/$name" 2>"$work/$name.err" || status=$?
	echo "exit status $status" >>"$work/$name"
}
wrapper=()

# same COMMAND...: prints the same with and without the library, and the library says at most $log_lines lines.
# $before, $after: what else is preloaded, with a colon behind or before it.
same() {
	run plain "$before${after#:}" "$@"
	run preloaded "$before$library$after" "$@"
	grep -qx 'exit status 0' "$work/plain" || { cat "$work/plain" "$work/plain.err"; return 1; }
	diff -u "$work/plain" "$work/preloaded" && few_lines && { ! $must_act || acted; } && return
	cat "$work/preloaded.err"
	return 1
}
before='' after='' log_lines=1 must_act=false

# acting COMMAND...: and the library redirected something in each run of same that COMMAND makes. The snippet says so.
acting() {
	local must_act=true
	"$@"
}
acted() {
	grep -q '^redirected=[1-9]' "$work/report" || { echo "nothing redirected: $(cat "$work/report" 2>&1)"; return 1; }
}

few_lines() {
	local lines
	lines=$(grep -c '^mshare\[' "$work/preloaded.err")
	((lines <= log_lines)) || { echo "$lines lines of log, at most $log_lines wanted"; return 1; }
	diff -u "$work/plain.err" <(grep -vE '^(mshare\[|context: )' "$work/preloaded.err")
}

# redirected: did the library redirect something in the last run of same? libcontext says so.
redirected() {
	grep -q '^context: redirected=[1-9]' "$work/preloaded.err" || { cat "$work/preloaded.err"; return 1; }
}
