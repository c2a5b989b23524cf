#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# extension.t - the extension's tests (pgext/check) in the guest, where the page tables of the servers are shared.
# Runs as root. EXTENSION_TESTS names others than the default ones; "all" is all of them.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$top/tests/lib/tap.sh"
: "${top_builddir:?the configured build tree}"
mount=/sys/fs/mshare

grep -qw msharefs /proc/filesystems || skip_all "this kernel has no msharefs"
tests=${EXTENSION_TESTS:-regress 001_startup 002_views}
[[ $tests != all ]] || tests="regress $(cd "$top/pgext/t" && basename -s .pl [0-9]*.pl | xargs)"
results=$(mktemp -d) || exit 1
trap 'rm -rf "$results"' EXIT

# The server's user may read mshare_regions, the list of what there is: the tests compare it with the views.
remount() {
	! mountpoint -q "$mount" || umount "$mount"
	mount -t msharefs -o "mode=1777,uid=$(id -u postgres)" msharefs "$mount"
}

check() {
	"$top/pgext/check" --preload --out "$results" "$1" || { cat "$results/$1.log"; return 1; }
}

# The last processes of a server may still be on their way out.
nothing_left() {
	local left
	for _ in {1..60}; do
		left=$(tail -n +2 "$mount/mshare_regions") || return
		[[ -n $left ]] || return 0
		sleep 0.5
	done
	echo "$left"
	return 1
}

ok "mount msharefs for the server's user" remount
for test in $tests; do
	ok "$test, with shared page tables" check "$test"
done
ok "no region is left" nothing_left
done_testing
