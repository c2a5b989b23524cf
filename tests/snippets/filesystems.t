#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# filesystems.t - on a kernel with msharefs, files of file systems that have a disk: disk-file.c prints the same with and
# without the library, the library redirects them, and nothing of it is left when the disk is unmounted.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib/tap.sh"
. "$here/../lib/machine.sh"
program=${top_builddir:?names the build tree}/tests/snippets/disk-file
library=$top_builddir/preload/.libs/libmshare_preload.so
unset "${!MSHARE@}" LD_PRELOAD

machine_has_msharefs || skip_all "this kernel has no msharefs (make check-vm boots one that has)"
work=$(mktemp -d) || exit 1
# Not by "mount -o loop", which has the device open for writing meanwhile: then the kernel mounts it nowhere.
truncate -s 320M "$work/disk" # mkfs.xfs wants 300, and writes little
device=$(losetup --find --show "$work/disk") || { echo "Bail out! no loop device"; exit 1; }
trap 'umount -q "$work/mnt"; losetup -d "$device"; rm -rf "$work"' EXIT
mkdir "$work/mnt"

# make_disk TYPE
make_disk() {
	rm -f "$work"/{report,plain*,preloaded*}
	wipefs -qa "$device" && "mkfs.$1" -q "$device" && mount -t "$1" "$device" "$work/mnt"
}

# run OUTPUT [VARIABLE=VALUE...]: what the program prints, how it ends, and what it leaves in the file after a remount
run() {
	local output=$1 status=0
	shift
	timeout 300 env MSHARE_MIN_SIZE=1MB MSHARE_BACKEND=msharefs SNIPPET_REPORT="$work/report" "$@" \
		"$program" "$work/mnt/file" "$work/disk" >"$output" 2>"$output.err" || status=$?
	echo "exit status $status" >>"$output"
	umount "$work/mnt" && mount -t "$type" "$device" "$work/mnt" && cksum <"$work/mnt/file" >>"$output"
}

same() {
	run "$work/plain" || return
	run "$work/preloaded" LD_PRELOAD="$library" || return
	grep -qx 'exit status 0' "$work/plain" && diff -u "$work/plain" "$work/preloaded" && return
	cat "$work"/{plain,preloaded}.err
	return 1
}

# redirected: says the library, and the kernel maps a window for each of the 3 mappings, where it mapped none without it
redirected() {
	diff -u <(sed -n 's/^ \* Expected is: //p' "$here/disk-file.c") "$work/report" &&
		! grep '^mapped 549755813888 ' "$work/plain.err" &&
		[[ $(grep -c '^mapped 549755813888 ' "$work/preloaded.err") == 3 ]] && return
	cat "$work/preloaded.err"
	return 1
}

types=(ext4 xfs)
for type in "${types[@]}"; do
	ok "$type: a disk" make_disk "$type"
	ok "$type: same output, same file" same
	ok "$type: redirected" redirected
	ok "$type: no region keeps the disk" umount "$work/mnt"
done
done_testing
