#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# hugetlb.t - on a stock kernel, the backend hugetlb takes all that hugetlbfs.c has of huge pages. That it changes nothing
# in what the program sees is for compare.t to say.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib/tap.sh"
. "$here/../lib/machine.sh"
build=${top_builddir:?names the build tree}
work=$(mktemp -d) || exit 1
machine_keep
trap 'rm -rf "$work"; machine_restore' EXIT
unset "${!MSHARE@}"

machine_huge_pages 3 || skip_all "this machine has no 3 huge pages to spare"
redirected() {
	LD_PRELOAD=$build/preload/.libs/libmshare_preload.so MSHARE_BACKEND=hugetlb MSHARE_MIN_SIZE=1MB \
		SNIPPET_REPORT=$work/report "$build/tests/snippets/hugetlbfs" >"$work/out" 2>"$work/err" &&
		diff -u <(sed -n 's/^ \* Expects with hugetlb: //p' "$here/hugetlbfs.c") "$work/report" && return
	cat "$work/out" "$work/err"
	return 1
}
ok "hugetlbfs: redirected by hugetlb as expected" redirected
done_testing
