# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The second half of kernel/scripts/boot: one guest from the files it is given
# to the exit status it deserves.  Uses option, command, mem, accel, clock, cpu,
# kernel, out and busybox of the first half; everything that must not outlive the guest is
# in tmp, qemu, timer and tails, for clean_up.
# shellcheck disable=SC2154	# those variables

status_splat=99
status_timeout=124
status_harness=125

tmp='' qemu='' timer='' tails='' timed_out=''

# write_job: what the guest's session reads.
write_job()
{
	local name

	mkdir "$tmp/io" "$tmp/out" || exit
	touch "$tmp/io/stdout" "$tmp/io/stderr"
	printf 'cwd=%s\nout=%s\n' "$(quote "$PWD")" "$(quote "$out")" >"$tmp/io/job"
	{
		for name in $(compgen -e); do
			case $name in
			PATH | HOME | TERM | TZ | LANG | LC_* | MSHARE_*)
				[ "$name" = MSHARE_CACHE_LOCK_FD ] ||
					echo "export $name=$(quote "${!name}")" ;;
			esac
		done
		# what lies there is on the host at once, whatever becomes of the guest
		[ -z "$out" ] || echo 'export MSHARE_GUEST_OUT=/run/mshare/out'
		echo 'export USER=root LOGNAME=root SHELL=/bin/bash'
		echo 'ulimit -H -n 1048576; ulimit -S -n 65536'
		echo "cd $(quote "$PWD") || exit 125"
		echo "exec $(quote "${command[@]}")"
	} >"$tmp/io/command"
}

write_initramfs()
{
	local dir=$tmp/initramfs

	if ! { install -D "$busybox" "$dir/bin/busybox" &&
		install "$kernel_dir/guest/init" "$kernel_dir/guest/session" "$dir" &&
		(cd "$dir" && find . | "$busybox" cpio -o -H newc 2>/dev/null) >"$dir.cpio"; }; then
		harness_error "cannot make the initramfs in $tmp"
	fi
}

# share TAG DIR OPTIONS: QEMU arguments of a 9p share.
share()
{
	echo -fsdev "local,id=$1,path=${2//,/,,},security_model=none,$3" \
		-device "virtio-9p-pci,fsdev=$1,mount_tag=$1"
}

start_qemu()
{
	# no_timer_check: on a busy host, emulated timer interrupts come too late for the kernel to believe that they do
	local parameters="console=ttyS0 no_timer_check ignore_loglevel panic=-1 oops=panic ${option[append]}"

	mkfifo "$tmp/monitor.in" "$tmp/monitor.out"
	# shellcheck disable=SC2046	# share makes several words, without blanks
	setpriv --pdeathsig KILL qemu-system-x86_64 \
		-nodefaults -no-user-config -no-reboot -display none -name mshare-guest \
		-machine q35 -accel "$accel" "${clock[@]}" -cpu "$cpu" -smp "${option[cpus]}" -m "${mem}M" \
		-kernel "$kernel" -initrd "$tmp/initramfs.cpio" -append "$parameters" \
		-serial "file:$tmp/kernel.log" \
		-chardev "pipe,id=monitor,path=$tmp/monitor" -mon chardev=monitor \
		$(share root / readonly=on,multidevs=remap) \
		$(share io "$tmp/io" multidevs=warn) \
		$(share out "$tmp/out" multidevs=warn) \
		</dev/null >"$tmp/qemu.log" 2>&1 &
	qemu=$!
	setpriv --pdeathsig KILL tail --pid="$qemu" -s 0.1 -n +1 -f "$tmp/io/stdout" 2>/dev/null &
	tails=$!
	setpriv --pdeathsig KILL tail --pid="$qemu" -s 0.1 -n +1 -f "$tmp/io/stderr" >&2 2>/dev/null &
	tails+=" $!"
}

# ask_where_it_hangs: blocked tasks and what each CPU does, into the kernel log.
ask_where_it_hangs()
{
	echo "sendkey alt-sysrq-w" >"$tmp/monitor.in"
	sleep 2
	echo "sendkey alt-sysrq-l" >"$tmp/monitor.in"
	# on a busy host, the first CPU's answer may take long; the others' follow
	for _ in {1..30}; do
		sleep 1
		! grep -qsaF 'NMI backtrace for cpu' "$tmp/kernel.log" || break
	done
	sleep 1
}

# wait_for_qemu: sets timed_out.
wait_for_qemu()
{
	setpriv --pdeathsig KILL sleep "${option[timeout]}" &
	timer=$!
	wait -n "$qemu" "$timer" 2>/dev/null
	if kill -0 "$qemu" 2>/dev/null && ! kill -0 "$timer" 2>/dev/null; then
		timed_out=yes
		ask_where_it_hangs
		kill -KILL "$qemu"
	fi
	kill "$timer" 2>/dev/null
	wait "$qemu" "$timer" 2>/dev/null
	# shellcheck disable=SC2086	# two process ids
	wait $tails
}

# clean_up: on every way out.
# shellcheck disable=SC2317	# called by the trap
clean_up()
{
	# shellcheck disable=SC2086	# process ids
	kill -KILL $qemu $timer $tails 2>/dev/null
	wait 2>/dev/null
	rm -rf "$tmp"
}

harness_error()
{
	say "$*"
	exit $status_harness
}

# bring_back: what the guest left for DIR, and the kernel log, before any verdict.
bring_back()
{
	log=$cache_dir/kernel.log
	[ -z "$out" ] || log=$out/kernel.log
	mkdir -p "${log%/*}"
	cp "$tmp/kernel.log" "$log" 2>/dev/null || log="(cannot write $log)"
	if [ -n "$out" ] && ! cp -a "$tmp/out/." "$out/"; then
		harness_error "cannot copy the guest's files to $out"
	fi
}

# interrupted STATUS: what the command has left in its side of DIR up to now is
# still brought back.
# shellcheck disable=SC2317	# called by the trap
interrupted()
{
	if [ -n "$qemu" ] && [ -d "$tmp/out" ]; then
		kill -KILL "$qemu" 2>/dev/null
		wait "$qemu" 2>/dev/null
		(bring_back)
	fi
	exit "$1"
}

# find_splat: print the first splat of the log, with what follows it.
find_splat()
{
	local line

	line=$(grep -n -m 1 -a -E -f <(grep -v -e '^#' -e '^$' "$kernel_dir/guest/splats") \
		"$tmp/kernel.log" | cut -d : -f 1)
	[ -n "$line" ] || return 1
	sed -n "$line,$((line + 40))p" "$tmp/kernel.log" >&2
}

# verdict: exit with what the run deserves.
verdict()
{
	local status splat=

	[ -d "$tmp/io" ] ||
		harness_error "$tmp was removed while the guest ran: its results are lost, run it again"
	bring_back
	find_splat && splat=yes
	if [ -n "$timed_out" ]; then
		say "timeout after ${option[timeout]} s: the guest was killed; kernel log: $log"
		exit $status_timeout
	fi
	if ! read -r status 2>/dev/null <"$tmp/io/status"; then
		[ -n "$splat" ] || tail -n 5 "$tmp/kernel.log" >&2
		cat "$tmp/qemu.log" >&2
		harness_error "the guest died before the command ended; kernel log: $log"
	fi
	if [ -n "$splat" ]; then
		say "the kernel log holds a splat (above; the command's exit status was $status): $log"
		exit $status_splat
	fi
	exit "$status"
}
