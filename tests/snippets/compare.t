#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# compare.t - every snippet prints the same with and without the preload library. On a kernel with msharefs, also:
# the library redirects and demotes exactly as often as the snippet's head says; elsewhere, never.
# Arguments: names of snippets; without any, all of them.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib/tap.sh"
programs=${top_builddir:?names the build tree}/tests/snippets
library=$top_builddir/preload/.libs/libmshare_preload.so
mount=${MSHARE_MOUNT:-/sys/fs/mshare}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

[[ -f $library ]] || { echo "Bail out! no $library"; exit 1; }
unset "${!MSHARE@}" LD_PRELOAD
export MSHARE_MOUNT=$mount

on_msharefs=false
if grep -qw msharefs /proc/filesystems; then
	grep -qF " $mount msharefs " /proc/self/mounts || mount -t msharefs msharefs "$mount" ||
		{ echo "Bail out! the kernel has msharefs, but it cannot be mounted on $mount"; exit 1; }
	on_msharefs=true
	# For hugepages.c, above what is in use.
	huge_before=$(</proc/sys/vm/nr_hugepages)
	echo $((huge_before + 8)) >/proc/sys/vm/nr_hugepages
	trap 'rm -rf "$work"; echo "$huge_before" >/proc/sys/vm/nr_hugepages' EXIT
fi
echo "# msharefs: $on_msharefs"

# run NAME OUTPUT [VARIABLE=VALUE...]: what a snippet prints, and how it ends
run() {
	local name=$1 output=$2 status=0
	shift 2
	timeout 120 env "$@" "$programs/$name" >"$output" 2>"$output.err" || status=$?
	echo "exit status $status" >>"$output"
}

same() {
	diff -u "$work/plain" "$work/preloaded" && return
	cat "$work/preloaded.err"
	return 1
}

# as_expected NAME: the counts that the library reports, against the head of the source
as_expected() {
	local expected got key value
	expected=$(sed -n 's/^ \* Expects: //p' "$here/$1.c")
	got=$(cat "$work/report" 2>&1)
	$on_msharefs || expected='redirected=0 demoted=0'
	[[ -n $expected ]] || { echo "$1.c has no line 'Expects:'"; return 1; }
	for key in redirected demoted; do
		value=$(sed -n "s/.*$key=\([0-9]*\).*/\1/p" <<<"$got")
		case $expected in
		*"$key="*) [[ " $expected " == *" $key=$value "* ]] ;;
		*) ((value > 1)) ;;
		esac || { echo "expected $expected, got $got"; cat "$work/preloaded.err"; return 1; }
	done
}

if (($# == 0)); then
	mapfile -t names < <(grep -l '^ \* Expects:' "$here"/*.c | xargs -n 1 basename -s .c)
	set -- "${names[@]}"
fi
segments=$(ipcs -m | wc -l)
for name; do
	rm -f "$work/report"
	run "$name" "$work/plain"
	run "$name" "$work/preloaded" LD_PRELOAD="$library" MSHARE_MIN_SIZE=1MB MSHARE_LOG=debug SNIPPET_REPORT="$work/report"
	ok "$name: same output" same
	ok "$name: redirected and demoted as expected" as_expected "$name"
done
is "no segment is left" "$(ipcs -m | wc -l)" "$segments"
if $on_msharefs; then
	# Regions of objects have no name, but keep their mount busy.
	ok "no region is left" umount "$mount"
	mount -t msharefs msharefs "$mount"
fi
done_testing
