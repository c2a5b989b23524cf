#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# compare.t - every snippet prints the same with and without the preload library. On a kernel with msharefs, also:
# the library redirects and demotes exactly as often as the snippet's head says. Elsewhere, with each of the backends
# for stock kernels, and without any: those redirect as often, or as often as a line "Redirects with BACKEND: N" says.
# Arguments: names of snippets; without any, all of them.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib/tap.sh"
. "$here/../lib/machine.sh"
programs=${top_builddir:?names the build tree}/tests/snippets
library=$top_builddir/preload/.libs/libmshare_preload.so
mount=${MSHARE_MOUNT:-/sys/fs/mshare}
work=$(mktemp -d) || exit 1
machine_keep
trap 'rm -rf "$work"; machine_restore' EXIT

[[ -f $library ]] || { echo "Bail out! no $library"; exit 1; }
unset "${!MSHARE@}" LD_PRELOAD
export MSHARE_MOUNT=$mount

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

# as_expected EXPECTED [COUNT...]: the counts that the library reports, all or those named
as_expected() {
	local expected=$1 got key value
	local -a keys=("${@:2}")
	((${#keys[@]})) || keys=(redirected demoted)
	got=$(cat "$work/report" 2>&1)
	[[ -n $expected ]] || { echo "the snippet has no line 'Expects:'"; return 1; }
	for key in "${keys[@]}"; do
		value=$(sed -n "s/.*$key=\([0-9]*\).*/\1/p" <<<"$got")
		case $expected in
		*"$key="*) [[ " $expected " == *" $key=$value "* ]] ;;
		*) ((value > 1)) ;;
		esac || { echo "expected $expected, got $got"; cat "$work/preloaded.err"; return 1; }
	done
}

# head_of NAME WORD: what a line "WORD: ..." in the snippet's head says
head_of() {
	sed -n "s/^ \* $2: //p" "$here/$1.c"
}

# compare BACKEND NAME: without the library and with it, but for what the head says differs, and the man page why
compare() {
	local differs
	differs=$(head_of "$2" "Differs with $1")
	rm -f "$work/report"
	run "$2" "$work/plain"
	run "$2" "$work/preloaded" LD_PRELOAD="$library" MSHARE_BACKEND="$1" MSHARE_MIN_SIZE=1MB \
		MSHARE_LOG=debug SNIPPET_REPORT="$work/report"
	[[ -z $differs ]] || sed -Ei "/$differs/d" "$work/plain" "$work/preloaded"
	ok "$1, $2: same output" same
}

# stock BACKEND NAME: not where the head of the snippet says why it cannot be
stock() {
	local but times
	but=$(head_of "$2" "Not with $1")
	times=$(head_of "$2" "Redirects with $1")
	times=${times:+redirected=$times}
	[[ -z $but ]] || { skip "$1, $2: same output" "$but"; return; }
	compare "$1" "$2"
	ok "$1, $2: redirected as expected" as_expected "${times:-$(head_of "$2" Expects)}" redirected
}

if (($# == 0)); then
	mapfile -t names < <(grep -l '^ \* Expects:' "$here"/*.c | xargs -n 1 basename -s .c)
	set -- "${names[@]}"
fi
for name; do
	[[ -x $programs/$name && -e $here/$name.c ]] || { echo "Bail out! no snippet '$name'; expected a .c of $here"; exit 1; }
done
if machine_has_msharefs; then
	machine_huge_pages 8 || { echo "Bail out! no 8 huge pages for hugepages.c"; exit 1; }
	for name; do
		compare msharefs "$name"
		ok "msharefs, $name: redirected and demoted as expected" as_expected "$(head_of "$name" Expects)"
	done
else
	for name; do
		compare msharefs "$name"
		ok "msharefs, $name: on this kernel nothing is redirected" as_expected "redirected=0 demoted=0"
		compare none "$name"
	done
	if machine_shmem_huge advise; then
		for name; do
			stock thp "$name"
		done
	else
		skip "all of thp" "shared memory cannot be allowed to have huge pages here"
	fi
	if machine_huge_pages 64; then
		for name; do
			stock hugetlb "$name"
		done
	else
		skip "all of hugetlb" "this machine has no 64 huge pages to spare"
	fi
fi
ok "no segment, huge page or file is left" machine_nothing_left
if machine_has_msharefs; then
	# Regions of objects have no name, but keep their mount busy.
	ok "no region is left" umount "$mount"
	mount -t msharefs msharefs "$mount"
fi
done_testing
