#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# boot.t.sh - kernel/scripts/boot keeps its contract: exit status, output, --out, and what it says when a guest
# dies, hangs or complains. Runs on the host; boots a dozen small guests.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck source=../lib/tap.sh
. "$top/tests/lib/tap.sh"

kernel=$("$top/kernel/scripts/build") || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/work" "$dir/work/tmp"
cd "$dir/work" || exit 1

# boot ARGUMENT...: status in $status, output in out and err, kernel log in log/kernel.log; temporary files and the
# cache's log in a directory of our own, so that what is left there is left by us
boot() {
	SECONDS=0
	TMPDIR=$dir/work/tmp timeout "${patience:-120}" "$top/kernel/scripts/boot" --kernel "$kernel" --mem 1G \
		--out "$dir/log" "$@" >out 2>err </dev/null
	status=$?
	((SECONDS <= slowest)) || slowest=$SECONDS
}
slowest=0

# boot_signalled SIGNAL WHOM: send SIGNAL to the script or to its qemu once the command runs
boot_signalled() {
	local pid whom

	# what an earlier guest has said must not be taken for this one's
	rm -f out err
	# a background job of bash ignores SIGINT, and so would the script: env gives it back
	TMPDIR=$dir/work/tmp env --default-signal=INT "$top/kernel/scripts/boot" --kernel "$kernel" --mem 1G \
		--out "$dir/log" -- sh -c 'echo running; sleep 1000' >out 2>err &
	pid=$!
	for _ in {1..600}; do
		grep -qs running out && break
		sleep 0.1
	done
	qemu=$(pgrep -P "$pid" qemu)
	whom=$pid
	[[ $2 == qemu ]] && whom=$qemu
	kill -s "$1" "$whom"
	wait "$pid" 2>/dev/null
	status=$?
}

nothing_left() {
	[[ -z $(ls -A tmp) ]] && { [[ -z ${qemu-} ]] || ! kill -0 "$qemu" 2>/dev/null; }
}

# refuses NAME PATTERN ARGUMENT...: one line on stderr that matches, exit status 2
refuses() {
	local name=$1 pattern=$2

	shift 2
	boot "$@"
	is "$name: exit status" "$status" 2
	is "$name: one line" "$(wc -l <err)" 1
	ok "$name: says what" grep -qE -- "$pattern" err
}

# what a command that runs gets
boot -- sh -c 'echo "to stdout"; echo "to stderr" >&2; pwd; uname -v >/dev/stdout; exit 3'
is "exit status of the command" "$status" 3
is "standard output" "$(head -n 2 out)" "to stdout"$'\n'"$dir/work"
is "standard error" "$(cat err)" "to stderr"
key=${kernel%/bzImage}
is "the kernel that was asked for" "$(sed -n '3s/^#\([^ ]*\) .*/\1/p' out)" "${key##*-}"
ok "the kernel log is saved" grep -q 'Linux version' "$dir/log/kernel.log"
ok "nothing is left" nothing_left

boot -- no-such-command
is "command not found" "$status" 127

printf 'kept\n' >"$dir/log/before"
boot --cpus 1 -- bash -c "cat '$dir/log/before' && mkdir '$dir/log/new' && echo made >'$dir/log/new/file' &&
	chmod 640 '$dir/log/new/file' && echo lost >'$dir/elsewhere' && nproc && echo \"it's 'quoted' \$0\"" 'a  b'
is "--out: there in the guest; arguments arrive as they are" "$(cat out)" "kept"$'\n1\n'"it's 'quoted' a  b"
is "--out: copied back, mode too" "$(cat "$dir/log/new/file") $(stat -c %a "$dir/log/new/file")" "made 640"
ok "other writes stay in the guest" test ! -e "$dir/elsewhere"

# An instruction a ns: so the kernel finds a processor of 1 GHz, whatever that of this machine has.
boot --accel icount --cpus 1 -- grep MHz /proc/cpuinfo
is "--accel icount: the clock counts instructions" "$(LC_ALL=C awk '{ printf "%.0f", $4 }' out)" 1000

boot -- bash -c 'seq 1 300000; setsid sleep 1000 & exit 0'
is "much output arrives whole, a process left behind is no obstacle" "$status $(tail -n 1 out) $(wc -l <out)" "0 300000 300000"

# shellcheck disable=SC2016 # expanded in the guest
boot -- bash -c 'for d in /proc /sys /dev/pts /dev/shm /run /tmp /sys/fs/cgroup; do mountpoint -q $d || echo $d; done
	ls -d /dev/fd/0 >/dev/null; cat /sys/class/net/lo/operstate >/dev/null; getent passwd postgres >/dev/null &&
	setpriv --reuid=postgres --clear-groups sh -c "echo x >/tmp/x && cat /etc/passwd >/dev/null" ; ulimit -n'
is "the guest looks like a machine" "$(cat out err)" 65536

# guests that do not end well
boot -- sh -c 'echo "<4>WARNING: a test" >/dev/kmsg; exit 0'
is "a splat: exit status" "$status" 99
ok "a splat is shown" grep -q 'WARNING: a test' err

boot -- sh -c 'echo c >/proc/sysrq-trigger; sleep 100'
is "a panic: exit status" "$status" 125
ok "a panic: said" grep -q 'guest died' err
ok "a panic: in the kernel log" grep -q 'Kernel panic' "$dir/log/kernel.log"

# The time that the guest gets before it hangs: it is asked by its keyboard, which it must have by then.
limit=$((3 * slowest + 5))
((limit >= 15)) || limit=15
patience=$((limit + 120)) boot --timeout "$limit" -- sleep 1000
is "a timeout: exit status" "$status" 124
ok "a timeout: said" grep -q "timeout after $limit s" err
ok "a timeout: the log tells what the processors did" grep -q 'NMI backtrace' "$dir/log/kernel.log"

for signal in INT:130 TERM:143; do
	boot_signalled "${signal%:*}" script
	is "SIG${signal%:*}: exit status" "$status" "${signal#*:}"
	ok "SIG${signal%:*}: nothing is left" nothing_left
done
boot_signalled KILL qemu
is "qemu killed: exit status" "$status" 125
ok "qemu killed: nothing is left" nothing_left

# what is refused
refuses "unknown option" "unknown option '--nonsense'" --nonsense
refuses "no command" 'no command' --
refuses "--mem without sense" "--mem 'lots': expected a size" --mem lots -- true
refuses "--mem beyond the machine" "only [0-9]+ MB are available" --mem 9000G -- true
refuses "--mem too small" 'needs 1024 MB' --mem 10M -- true
refuses "--cpus" "--cpus 'x'" --cpus x -- true
refuses "--timeout" "--timeout '0'" --timeout 0 -- true
refuses "--accel" "--accel 'vmware'" --accel vmware -- true
refuses "--accel icount with two processors" "add --cpus 1" --accel icount --cpus 2 -- true
refuses "--out" "absolute path" --out relative -- true
refuses "--kernel" "no such file" --kernel /no/such -- true

done_testing
