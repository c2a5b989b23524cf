#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# postgres.t - PostgreSQL's own core regression and isolation suites pass under the library, and the library did act.
# Environment: top_builddir; blank-separated lists PG_BACKENDS (default: msharefs where the kernel has it, else none),
# PG_KINDS (shared_memory_type: mmap sysv), PG_SUITES (core isolation); PG_SCHEDULE: full or the default, short.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../lib/tap.sh"
. "$here/../lib/machine.sh"
library=${top_builddir:?names the build tree}/preload/.libs/libmshare_preload.so
schedule=${PG_SCHEDULE:-short}
pg_config=${PG_CONFIG:-pg_config}
bindir=$("$pg_config" --bindir)
pgxs=$(dirname "$("$pg_config" --pgxs)")/../..

[[ -f $library ]] || { echo "Bail out! no $library"; exit 1; }
((EUID == 0)) || skip_all "needs root: the server runs as somebody else, and huge pages are set aside"
machine_has_msharefs && default=msharefs || default=none
read -ra backends <<<"${PG_BACKENDS:-$default}"
read -ra kinds <<<"${PG_KINDS:-mmap sysv}"
read -ra suites <<<"${PG_SUITES:-core isolation}"
unset "${!MSHARE_@}" "${!PG@}" MSHARE LD_PRELOAD
tests=$(PG_CONFIG=$pg_config "$here/source") || { echo "Bail out! PostgreSQL's tests cannot be had"; exit 1; }
work=$(mktemp -d) || exit 1
machine_keep
trap 'stop; rm -rf "$work"; machine_restore' EXIT

# as_server COMMAND...: as the user that PostgreSQL runs as, in the work folder
as_server() {
	(cd "$work" && setpriv --reuid=postgres --regid=postgres --clear-groups env HOME="$work" LC_ALL=C.UTF-8 "$@")
}

# What the server's user may not read where it is kept: the tests, and the library they load. Ours are built here.
stage() {
	cp -r "$tests" "$work/tests" && mkdir "$work/lib" "$work/socket" &&
		cp "$here/regress.mk" "$work/tests/regress/regress.mk" && cp "$library" "$work/lib" &&
		make -s -C "$work/tests/regress" -f regress.mk PG_CONFIG="$pg_config" with_llvm=no &&
		cp "$work/tests/regress/regress.so" "$("$pg_config" --pkglibdir)"/{autoinc,refint}.so "$work/lib" &&
		chmod 755 "$work" && chown -R postgres: "$work" &&
		as_server "$bindir/initdb" -D "$work/data" -A trust -N --no-locale -E UTF8
}

# start BACKEND|stock KIND: small shared buffers, but the library takes everything from 1 MB on, DSM included
start() {
	local settings=(shared_memory_type="$2" shared_buffers=64MB huge_pages=off fsync=off max_prepared_transactions=2
		listen_addresses= unix_socket_directories="$work/socket")
	local -a library=(LD_PRELOAD="$work/lib/libmshare_preload.so" MSHARE_BACKEND="$1" MSHARE_MIN_SIZE=1MB MSHARE_LOG=info)
	[[ $1 != stock ]] || library=()
	as_server "${library[@]}" "$bindir/pg_ctl" -D "$work/data" -w -t 120 -s -l "$work/log" start -o "${settings[*]/#/-c }"
}

stop() {
	[[ ! -e $work/data/postmaster.pid ]] || as_server "$bindir/pg_ctl" -D "$work/data" -w -s -m fast stop
}

# acted BACKEND: do the postmaster's shared mappings look as that backend makes them? The kernel is asked, not the
# library. A window carries the device number of the mount.
acted() {
	local device
	device=$(findmnt -n -t msharefs -o MAJ:MIN | head -n 1)
	awk -v backend="$1" -v device="$device" '
		BEGIN { if (split(device, id, ":")) device = sprintf("%02x:%02x", id[1], id[2]) }
		/^[0-9a-f]+-[0-9a-f]+ / { shared = $2 ~ /s$/; windows += $4 == device }
		shared && /^KernelPageSize: *2048 kB/ { huge++ }
		shared && /^ShmemPmdMapped/ { pmd += $2 }
		END {
			printf "windows %d, mappings of 2 MB pages %d, huge shmem %d kB\n", windows, huge, pmd
			count["msharefs"] = windows; count["hugetlb"] = huge; count["thp"] = pmd; count["none"] = 0
			for (other in count)
				if ((count[other] > 0) != (other == backend && backend != "none"))
					bad = 1
			exit bad
		}' "/proc/$(head -n 1 "$work/data/postmaster.pid")/smaps"
}

# The short schedules have what parallel query and locks between sessions need.
core() {
	local list=$work/tests/regress/parallel_schedule
	[[ $schedule == full ]] || list=$here/short_regress
	as_server "$pgxs/src/test/regress/pg_regress" --inputdir="$work/tests/regress" \
		--outputdir="$work/out" --bindir="$bindir" --dlpath="$work/lib" --host="$work/socket" --user=postgres \
		--max-concurrent-tests=20 --schedule="$list" || differences
}

isolation() {
	local list=$work/tests/isolation/isolation_schedule
	[[ $schedule == full ]] || list=$here/short_isolation
	as_server "$pgxs/src/test/isolation/pg_isolation_regress" --inputdir="$work/tests/isolation" \
		--outputdir="$work/out" --bindir="$bindir" --dlpath="$work/lib" --host="$work/socket" --user=postgres \
		--schedule="$list" || differences
}

differences() {
	head -n 150 "$work/out/regression.diffs"
	return 1
}

# What a stock server prints is what is expected, where the tests are of another minor version than the server: for
# the few tests (a dozen at most) whose output changed between them.
calibrate() {
	local differing
	start stock mmap && { core >/dev/null; stop; } || return
	differing=$(sed -n 's/^\(test\)\? *\([a-z0-9_.]*\) *\.\.\. FAILED.*/\2/p' "$work/out/regression.out" | sort -u | xargs)
	echo "# tests of $(<"$tests/VERSION"), server $("$pg_config" --version): a stock server differs in: ${differing:-none}"
	(($(wc -w <<<"$differing") <= 12)) || return
	for test in $differing; do
		cp "$work/out/results/$test.out" "$work/tests/regress/expected/$test.out"
		rm -f "$work/tests/regress/expected/${test}"_[0-9].out
	done
	rm -rf "$work/out"
}

no_start() {
	cat "$work/start.log" "$work/log"
	return 1
}

# one_server BACKEND KIND: all suites with one server, and an end without a trace
one_server() {
	local name="$1, $2" suite postmaster
	start "$1" "$2" >"$work/start.log" 2>&1 || { ok "$name: the server starts" no_start; return; }
	as_server "$bindir/psql" -q -h "$work/socket" -c 'SELECT count(*) FROM pg_class' postgres >/dev/null
	ok "$name: the backend is used" acted "$1"
	for suite in "${suites[@]}"; do
		as_server mkdir -p "$work/out"
		ok "$name: $suite, $schedule schedule" "$suite"
		as_server rm -rf "$work/out"
	done
	ok "$name: the server did not crash" bash -c "! grep -nE 'PANIC|terminated by signal|lost the view' '$work/log'"
	postmaster=$(head -n 1 "$work/data/postmaster.pid")
	ok "$name: the server stops" stop
	is "$name: no segment is left" "$(machine_segments_of "$postmaster")" 0
	mv "$work/log" "$work/log.$1.$2"
}

stage >"$work.stage" 2>&1 || { cat "$work.stage"; rm -f "$work.stage"; echo "Bail out! the tests cannot be set up"; exit 1; }
rm -f "$work.stage"
if [[ $schedule == full && " ${suites[*]} " == *" core "* && $("$pg_config" --version) != *" $(<"$tests/VERSION") "* ]]; then
	calibrate || { echo "Bail out! the tests do not fit the server"; exit 1; }
fi
for backend in "${backends[@]}"; do
	case $backend in
	hugetlb) machine_huge_segments postgres && machine_huge_pages 400 || { skip "$backend" "no 800 MB of memory in one piece for huge pages"; continue; } ;;
	thp) machine_shmem_huge advise || { skip "$backend" "this kernel has no huge pages in shared memory"; continue; } ;;
	esac
	for kind in "${kinds[@]}"; do
		one_server "$backend" "$kind"
	done
done
done_testing
