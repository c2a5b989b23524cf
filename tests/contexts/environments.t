#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# environments.t - where something is missing or forbidden, a program does what it does without the library, and one
# line of log at most says why nothing is shared. Where msharefs can be reached all the same, it is used.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/same.sh"
((EUID == 0)) || skip_all "needs root: for chroot, mounts, and programs of other users"
mount=/sys/fs/mshare
snippets=(anonymous sysv)
mkdir "$work/mnt" "$work/ro" "$work/root"
trap 'umount -q "$work/mnt" "$work/ro"; rm -rf "$work"; machine_restore' EXIT

all_the_same() {
	local snippet
	for snippet in "${snippets[@]}"; do
		same "$@" "$programs/$snippet" || { echo "in $snippet"; return 1; }
	done
}

# in_both NAME WHAT [VARIABLE=VALUE...]: as the library chooses (on a stock kernel), and with msharefs alone, which stock
# kernels and bad environments have not; WHAT: does it redirect where there is msharefs (yes), or not (no)?
in_both() {
	local name=$1 shares=$2
	shift 2
	$on_msharefs || ok "$name: same output" all_the_same "$@"
	ok "$name, msharefs only: same output" all_the_same MSHARE_BACKEND=msharefs "$@"
	if $on_msharefs && [[ $shares == yes ]]; then
		ok "$name: shared" redirected
	else
		ok "$name: nothing is shared, and one line says so" not_redirected
	fi
}

not_redirected() {
	grep -q '^context: redirected=0 ' "$work/preloaded.err" && [[ $(grep -c '^mshare\[' "$work/preloaded.err") == 1 ]] ||
		{ cat "$work/preloaded.err"; return 1; }
}

# hide DIR COMMAND...: in a mount namespace where DIR is empty
cat >"$work/hide" <<'END'
#!/bin/bash
exec unshare --mount sh -c 'mount -t tmpfs none "$0" && exec "$@"' "$@"
END
chmod 755 "$work/hide"

after=:$here_programs/.libs/libcontext.so
in_both "as it is" yes

wrapper=("$work/hide" /proc)
in_both "no /proc" yes
wrapper=("$work/hide" /sys)
in_both "no /sys" no

wrapper=("$here_programs/forbid" ioctl EPERM)
in_both "ioctl forbidden" no
wrapper=("$here_programs/forbid" ioctl ENOSYS)
in_both "ioctl not there" no
wrapper=("$here_programs/forbid" open EPERM)
in_both "open forbidden, as by sandboxes that know of openat only" yes
wrapper=("$here_programs/forbid" readlink EPERM)
in_both "readlink forbidden" yes

# A window takes 512 GB of address space.
wrapper=(prlimit --as=1000000000 --)
in_both "RLIMIT_AS of 1 GB" no
wrapper=()
in_both "no descriptor can be opened" no CONTEXT=no-descriptors
in_both "no descriptor stays open" yes CONTEXT=descriptors

# as_nobody NAME WHAT: as in_both, for another user, who may not be able to look into the build tree
as_nobody() {
	local programs=$work/public library=$work/public/${library##*/} after=:$work/public/${after##*/}
	local -a wrapper=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
	in_both "$@" MSHARE_MOUNT="$work/mnt"
}
mkdir "$work/public"
cp "${snippets[@]/#/$programs/}" "$library" "${after#:}" "$work/public"

# Other mounts
touch "$work/file"
in_both "the mount is a file" no MSHARE_MOUNT="$work/file"
in_both "the mount is not there" no MSHARE_MOUNT=/no/such/mount
in_both "the mount is of another kind" no MSHARE_MOUNT=/tmp
in_both "the mount is a device" no MSHARE_MOUNT=/dev/null
if $on_msharefs; then
	mount -t msharefs -o nosuid,nodev,noexec msharefs "$work/mnt"
	in_both "msharefs elsewhere" yes MSHARE_MOUNT="$work/mnt"
	wrapper=("$work/hide" /sys)
	in_both "msharefs elsewhere, no /sys" yes MSHARE_MOUNT="$work/mnt"
	wrapper=()
	mount -t msharefs -o ro msharefs "$work/ro"
	in_both "msharefs read-only" yes MSHARE_MOUNT="$work/ro"
	umount "$work/mnt" "$work/ro"
	mount -t msharefs -o mode=700 msharefs "$work/mnt"
	as_nobody "msharefs of another owner" no
	umount "$work/mnt"
	mount -t msharefs -o mode=700,uid=nobody msharefs "$work/mnt"
	as_nobody "msharefs of one's own" yes
fi

# A chroot with nothing in it but the program, and what it loads, where it looks for it
stage_root() {
	local file
	for file in "${snippets[@]/#/$programs/}" "$library" "${after#:}" "$(command -v env)" /bin/true /bin/sh \
		$(ldd "$programs/anonymous" /bin/sh | grep -oE '/[^ ]+' | grep -v ':$' | sort -u); do
		mkdir -p "$work/root${file%/*}"
		cp -L "$file" "$work/root$file" || return 1
	done
}
stage_root || { echo "Bail out! no chroot can be made"; exit 1; }
wrapper=(chroot "$work/root")
in_both "chroot" no
if $on_msharefs; then
	mkdir -p "$work/root$mount"
	mount --bind "$mount" "$work/root$mount"
	in_both "chroot with msharefs in it" yes
	umount "$work/root$mount"
fi

# Programs with more rights than their user. The dynamic linker takes libraries into them only from system folders, and
# only such that have the bit too. In there it would find more than 64 MB, but does nothing.
cp "$here_programs/large" "$work/root$programs" && chmod u+s "$work/root$programs/large"
wrapper=(chroot --userspec=65534:65534 "$work/root")
bad=(MSHARE=perhaps MSHARE_LOG=debug MSHARE_LOG_FILE=/log MSHARE_MIN_SIZE=1MB MSHARE_STRICT=1)
chmod 1777 "$work/root"

no_log() {
	! grep '^mshare\[' "$work/preloaded.err" && [[ ! -e $work/root/log ]]
}
without_library() {
	same "${bad[@]}" "$programs/large" && ! grep '^context: ' "$work/preloaded.err" && no_log
}
with_library() {
	same "${bad[@]}" "$programs/large" && grep -q '^context: redirected=0' "$work/preloaded.err" && no_log
}
ok "setuid program: the library is not loaded" without_library
for file in "$library" "${after#:}"; do
	cp "$file" "$work/root/lib/x86_64-linux-gnu/" && chmod u+s "$work/root/lib/x86_64-linux-gnu/${file##*/}"
done
library=${library##*/} after=:${after##*/}
ok "setuid program, trusted library: it does nothing, whatever the environment says" with_library
ok "no segment, huge page or file is left" machine_nothing_left
done_testing
