# shellcheck shell=bash
# SPDX-License-Identifier: PostgreSQL
# tap.sh - writing tests in bash that print TAP. Sourced; a test ends by calling done_testing.

tap_count=0
tap_failed=0

# ok NAME COMMAND...: passes if COMMAND succeeds; what it printed is shown if it does not
ok() {
	local name=$1 output
	shift
	tap_count=$((tap_count + 1))
	if output=$("$@" 2>&1); then
		echo "ok $tap_count - $name"
	else
		echo "not ok $tap_count - $name"
		printf '%s\n' "$output" | sed 's/^/# /'
		tap_failed=$((tap_failed + 1))
	fi
}

# is NAME GOT WANTED: passes if both strings are the same
is() {
	# shellcheck disable=SC2317 # called through ok
	equal() { [[ $1 == "$2" ]] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; return 1; }; }
	ok "$1" equal "$2" "$3"
}

# skip NAME REASON: one test that cannot run here
skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# skip_all REASON: none of this program's tests can run here
skip_all() {
	echo "1..0 # SKIP $*"
	exit 77
}

done_testing() {
	echo "1..$tap_count"
	exit $((tap_failed > 0))
}
