#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# syscalls.t - calls that are not the library's matter cost no system call more, and neither does fork() without
# attachments: strace is the witness. Starting a program costs what the dynamic linker needs to load the library.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/../lib/tap.sh"
programs=${top_builddir:?names the build tree}/tests/contexts
library=$(readlink -f "$top_builddir/preload/.libs/libmshare_preload.so")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
unset "${!MSHARE@}" LD_PRELOAD

command -v strace >/dev/null || { echo "Bail out! no strace"; exit 1; }
strace -o "$work/try" /bin/true 2>"$work/err" || skip_all "strace may not trace here: $(head -n 1 "$work/err")"

# trace NAME [VARIABLE=VALUE...]: what ordinary asks the kernel for, a file per process, all into one
trace() {
	local name=$1
	shift
	mkdir "$work/$name" || return
	env "$@" MSHARE_LOG=debug strace -ff -o "$work/$name/trace" "$programs/ordinary" "$work/file" 2>"$work/err" ||
		{ cat "$work/err"; return 1; }
	find "$work/$name" -name 'trace.*' | sort -V | xargs cat |
		sed -n '/close(12345)/,/close(12345)/p' | normalise >"$work/$name.calls"
}

# Addresses, the numbers of processes and segments, and when a child's signal comes differ from run to run.
normalise() {
	sed -E -e 's/0x[0-9a-f]{6,}/ADDRESS/g' -e 's/\b(wait4|kill|tgkill)\([0-9]+/\1(PID/' -e 's/pid=[0-9]+/pid=PID/g' \
		-e 's/^(shmat|shmctl)\([0-9]+/\1(ID/' -e '/^(clone|clone3|vfork|fork|wait4|shmget)\(/s/= [0-9]+$/= NUMBER/' \
		-e 's/[0-9]{10}[^,}]*/TIME/g' -e '/^---/d'
}

same() {
	diff -u "$work/plain.calls" "$work/$1.calls"
}

: >"$work/file"
ok "traced without the library" trace plain
for call in mmap munmap mremap mprotect madvise msync mlock mlock2 munlock munlockall mincore \
	remap_file_pages shmget shmat shmdt shmctl vfork; do
	ok "the program calls $call" grep -q "^$call(" "$work/plain.calls"
done
ok "traced with the library" trace preloaded LD_PRELOAD="$library"
ok "the same calls with the library" same preloaded
ok "traced with the library off" trace off LD_PRELOAD="$library" MSHARE=off
ok "the same calls with the library off" same off

# names NAME [VARIABLE=VALUE...]: which calls /bin/true makes, and how often
names() {
	local name=$1
	shift
	env "$@" strace -o "$work/$name.true" /bin/true && sed -nE 's/^([a-z0-9_]+)\(.*/\1/p' "$work/$name.true" |
		sort | uniq -c >"$work/$name.names"
}

# The dynamic linker opens, reads, maps and protects any library; what is ours is to be none but these.
start() {
	local added
	names plain && names preloaded LD_PRELOAD="$library" || return
	added=$(join -1 2 -2 2 -a 2 -e 0 -o 0,1.1,2.1 "$work/plain.names" "$work/preloaded.names" |
		awk '$3 > $2 { printf "%s+%d ", $1, $3 - $2 }')
	echo "added: $added"
	for name in $added; do
		case $name in
		openat+* | read+* | pread64+* | fstat+* | newfstatat+* | mmap+* | mprotect+* | close+* | munmap+*) ;;
		rt_sigprocmask+2) ;; # the lock under which the environment is read
		futex+1) ;; # dlsym() in libc
		*) return 1 ;;
		esac
	done
}
ok "the start of /bin/true costs what loading a library costs" start
done_testing
