# shellcheck shell=bash
# SPDX-License-Identifier: PostgreSQL
# machine.sh - what the backends of the library need of the machine: huge pages set aside, huge pages in shared
# memory allowed, msharefs mounted. Sourced; machine_keep first: what was there before comes back when the test ends.

machine_shmem_enabled=/sys/kernel/mm/transparent_hugepage/shmem_enabled
machine_nr_hugepages=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
machine_shm_group=/proc/sys/vm/hugetlb_shm_group

# machine_keep: to be called once, before a trap of the test's own, which then has to call machine_restore
machine_keep() {
	machine_pages_before=$(cat "$machine_nr_hugepages" 2>/dev/null)
	machine_shmem_before=$(sed 's/.*\[\(.*\)\].*/\1/' "$machine_shmem_enabled" 2>/dev/null)
	machine_group_before=$(cat "$machine_shm_group" 2>/dev/null)
	machine_things_before=$(machine_things)
	trap machine_restore EXIT
	trap 'exit 130' INT TERM
}

# machine_things: what processes that ended could have left: segments whose maker is gone (others have theirs, who come and
# go), files in shared memory, and huge pages in use, one a line
machine_things() {
	local id maker used
	while read -r id maker; do
		[[ -d /proc/$maker ]] || echo "segment $id"
	done < <(awk 'NR > 1 { print $2, $5 }' /proc/sysvipc/shm)
	find /dev/shm -type f -printf '%p\n' 2>/dev/null
	used=$(($(cat "$machine_nr_hugepages" 2>/dev/null) - $(cat "${machine_nr_hugepages%/*}/free_hugepages" 2>/dev/null)))
	while ((used-- > 0)); do echo "huge page in use: one of $((used + 1))"; done
}

# machine_nothing_left: is there nothing but what was there at machine_keep? For ok.
machine_nothing_left() {
	local left
	left=$(comm -13 <(sort <<<"$machine_things_before") <(machine_things | sort))
	[[ -z $left ]] || { echo "$left"; return 1; }
}

machine_restore() {
	[[ -z $machine_pages_before ]] || echo "$machine_pages_before" >"$machine_nr_hugepages"
	[[ -z $machine_group_before ]] || echo "$machine_group_before" >"$machine_shm_group"
	[[ -z $machine_shmem_before ]] || echo "$machine_shmem_before" >"$machine_shmem_enabled"
} 2>/dev/null

# machine_huge_pages COUNT: so many 2 MB pages more than are in use; fails where the machine has not got them
machine_huge_pages() {
	local used wanted
	[[ -w $machine_nr_hugepages ]] || return
	used=$(($(<"$machine_nr_hugepages") - $(<"${machine_nr_hugepages%/*}/free_hugepages")))
	wanted=$((used + $1))
	echo "$wanted" >"$machine_nr_hugepages"
	(($(<"$machine_nr_hugepages") >= wanted))
}

# machine_huge_segments GROUP: its members may make SysV segments of huge pages
machine_huge_segments() {
	[[ -w $machine_shm_group ]] && id -g "$1" >"$machine_shm_group"
}

# machine_shmem_huge WORD: may shared memory have huge pages? advise, never, ...
machine_shmem_huge() {
	[[ -w $machine_shmem_enabled ]] && echo "$1" >"$machine_shmem_enabled"
}

# machine_has_msharefs: mounts it where it is not mounted yet
machine_has_msharefs() {
	local mount=${MSHARE_MOUNT:-/sys/fs/mshare}
	grep -qw msharefs /proc/filesystems || return
	grep -qF " $mount msharefs " /proc/self/mounts || mount -t msharefs msharefs "$mount" || {
		echo "Bail out! the kernel has msharefs, but it cannot be mounted on $mount"
		exit 1
	}
}

# machine_segments_of PID...: how many SysV segments there are that one of these processes made
machine_segments_of() {
	awk -v pids="$*" '
		BEGIN { n = split(pids, list, " "); for (i = 1; i <= n; i++) creator[list[i]] }
		NR > 1 && $5 in creator { count++ }
		END { print count + 0 }' /proc/sysvipc/shm
}
