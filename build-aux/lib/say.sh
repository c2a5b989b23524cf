# shellcheck shell=bash
# SPDX-License-Identifier: PostgreSQL
# say.sh - what quickstart tells its user: errors, and long steps with the time they need. Sourced.
#
# Uses: LOG_DIR (logs of the steps), TIMES_DIR (how long each step took last time).

# A user's error: one line, exit status 2.
die() {
	printf 'quickstart: %s\n' "$*" >&2
	exit 2
}

# minutes SECONDS: as a person says it, 4:05
minutes() {
	printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}

# expected NAME DEFAULT: what to expect of a step, from the last run if there was one
expected() {
	local last
	if last=$(cat "$TIMES_DIR/$1" 2>/dev/null) && [[ $last =~ ^[0-9]+$ ]]; then
		printf '%s last time' "$(minutes "$last")"
	else
		printf 'about %s expected' "$(minutes "$2")"
	fi
}

# ticker NAME: a line a minute while a step runs, so that nobody thinks it hangs
ticker() {
	local start=$SECONDS line nap
	trap 'kill "$nap" 2>/dev/null; exit 0' TERM
	while :; do
		sleep 60 &
		nap=$!
		wait "$nap"
		line=$(tail -c 4096 "$LOG_DIR/$1.log" 2>/dev/null | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1)
		printf '    %s so far: %.100s\n' "$(minutes $((SECONDS - start)))" "$line"
	done
}

# as_job COMMAND...: in a process group of its own, which ends when we are told to: no guest, server or build outlives us
as_job() {
	local status=0
	# Before the job, so that there is no moment in which it would outlive us; it does not inherit them.
	trap 'stop_job 130' INT
	trap 'stop_job 143' TERM HUP
	set -m
	{ set +m; "$@"; } &
	set +m
	wait "$!" || status=$?
	trap - INT TERM HUP
	return "$status"
}

# stop_job STATUS: and exit. Before there is a job, $! is the ticker, and no group.
stop_job() {
	trap '' INT TERM HUP
	kill -TERM -- "-$!" "$ticker" 2>/dev/null || true
	wait "$!" "$ticker" 2>/dev/null || true
	exit "$1"
}

# step NAME SECONDS TEXT COMMAND...: run one long step, output to its log; returns its exit status.
# SECONDS is what it takes the first time, when no earlier run says better.
step() {
	local name=$1 guess=$2 text=$3 start=$SECONDS ticker status=0
	shift 3
	printf '==> %s (%s)\n' "$text" "$(expected "$name" "$guess")"
	ticker "$name" &
	ticker=$!
	as_job "$@" >"$LOG_DIR/$name.log" 2>&1 </dev/null || status=$?
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	if ((status == 0)); then
		printf '%s\n' "$((SECONDS - start))" >"$TIMES_DIR/$name"
		printf '    done in %s\n' "$(minutes $((SECONDS - start)))"
	else
		printf '    FAILED with status %d after %s; read: less %s\n' \
			"$status" "$(minutes $((SECONDS - start)))" "$LOG_DIR/$name.log"
	fi
	return "$status"
}

# must NAME SECONDS TEXT COMMAND...: a step without which nothing else makes sense. Status 2 stays 2: that is
# an error of the user's which the command has already explained in its last lines.
must() {
	local status=0
	step "$@" || status=$?
	if ((status == 0)); then return; fi
	tail -n 15 "$LOG_DIR/$1.log" | sed 's/^/    | /'
	if ((status == 2)); then exit 2; fi
	exit 1
}
