#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Run all msharefs selftests of one directory, one after the other: KTAP with a
# line for each program, and beneath it what failed or was skipped.
#
# Around each program the state of the system is compared: a program that leaves
# a mount, a segment, a huge page or a swap device behind has failed, and so has
# one that taints the kernel.

usage()
{
	cat <<END
Usage: ${0##*/} [--log DIR] [--timeout SECONDS] [DIR [PROGRAM...]]
Run the msharefs selftests in DIR (default: where this script is), all of them
(DIR/mshare.list) or the ones named.

  --log DIR          keep each program's whole output in DIR/PROGRAM.log
  --timeout SECONDS  for one program (default: 600)
  --help             print this and exit

Exit status: 0 if nothing failed; 1 if something did; 4 if nothing can be tested
on this kernel; 2 for a bad option.
END
}

die()
{
	echo "${0##*/}: $*" >&2
	exit 2
}

# state: what programs must leave as they found it.
state()
{
	local device

	echo "tainted: $(cat /proc/sys/kernel/tainted)"
	echo "msharefs mounts: $(grep -c ' msharefs ' /proc/mounts)"
	echo "SysV segments: $(tail -n +2 /proc/sysvipc/shm 2>/dev/null | wc -l)"
	echo "swap: $(tail -n +2 /proc/swaps 2>/dev/null | sort)"
	echo "huge pages: $(cat /proc/sys/vm/nr_hugepages 2>/dev/null)"
	echo "shmem_enabled: $(cat /sys/kernel/mm/transparent_hugepage/shmem_enabled 2>/dev/null)"
	for device in /sys/block/loop*/loop/backing_file; do
		[ -e "$device" ] && echo "loop device: $device"
	done
	ls -d /var/tmp/mshare-test* /dev/shm/mshare-test* 2>/dev/null
}

# run_program NR PROGRAM: its line, and what is to be told about it.
run_program()
{
	local nr=$1 program=$2 log=$logdir/$2.log before after status ok notok skip
	local start=$SECONDS counts

	before=$(state)
	(cd "$dir" && exec timeout --kill-after=10 "$timeout" "./$program") \
		>"$log" 2>&1 </dev/null
	status=$?
	after=$(state)

	ok=$(grep -c '^ok ' "$log")
	skip=$(grep -c '^ok .* # SKIP' "$log")
	notok=$(grep -c '^not ok ' "$log")
	passed=$((passed + ok - skip))
	failed=$((failed + notok))
	skipped=$((skipped + skip))

	if [ "$before" != "$after" ]; then
		diff <(echo "$before") <(echo "$after") |
			sed -n 's/^>/# left behind or changed:/p' >>"$log"
		status=1
		[ "$notok" = 0 ] && failed=$((failed + 1))
	elif [ "$status" != 0 ] && [ "$notok" = 0 ]; then
		# Killed, or it does not get as far as a test.
		echo "# exit status $status without a failed test" >>"$log"
		failed=$((failed + 1))
	fi

	counts="$((ok - skip)) passed, $notok failed, $skip skipped in $((SECONDS - start)) s"
	if [ "$status" != 0 ]; then
		echo "not ok $nr $program # $counts"
		grep -v -e '^ok ' -e '^#  RUN  ' -e '^#  *OK  ' "$log" | sed 's/^/  /'
	elif [ "$ok" = "$skip" ]; then
		echo "ok $nr $program # SKIP $(sed -n 's/^ok .* # SKIP //p' "$log" |
			sort -u | head -n 1)"
	else
		echo "ok $nr $program # $counts"
		sed -n 's/^ok [0-9]* \(.* # SKIP .*\)/  # \1/p' "$log"
	fi
}

log=
timeout=600
while [ $# -gt 0 ]; do
	case $1 in
	--log)
		[ $# -gt 1 ] || die "--log needs a directory"
		log=$2
		shift
		;;
	--timeout)
		[[ ${2-} =~ ^[1-9][0-9]*$ ]] ||
			die "--timeout needs a number of seconds, not '${2-}'"
		timeout=$2
		shift
		;;
	--help)
		usage
		exit 0
		;;
	-*)
		die "unknown option '$1'; try --help"
		;;
	*)
		break
		;;
	esac
	shift
done

dir=${1:-$(dirname "$(readlink -f "$0")")}
shift
[ -r "$dir/mshare.list" ] ||
	die "no tests in $dir: run 'make' in the source directory, with OUTPUT=$dir"
if [ $# -gt 0 ]; then
	programs=("$@")
else
	mapfile -t programs <"$dir/mshare.list"
fi
for program in "${programs[@]}"; do
	[ -x "$dir/$program" ] || die "no such test: $dir/$program"
done
if ! grep -qx $'nodev\tmsharefs' /proc/filesystems; then
	echo "1..0 # SKIP this kernel has no msharefs"
	exit 4
fi

logdir=$log
if [ -z "$log" ]; then
	logdir=$(mktemp -d) || exit 1
	trap 'rm -rf "$logdir"' EXIT
fi
mkdir -p "$logdir" || exit 1

passed=0 failed=0 skipped=0 nr=0
echo "KTAP version 1"
echo "1..${#programs[@]}"
for program in "${programs[@]}"; do
	nr=$((nr + 1))
	run_program "$nr" "$program"
done
echo "# $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
