#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# runner.t - the test runner itself: no failure, crash, hang or missing plan may look like success.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$top/tests/lib/tap.sh"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# result SCRIPT: run a one-line test program, print run-tests' status and the summary's last line and status
result() {
	local status sum
	rm -rf "$tmp/out"
	printf '#!/bin/bash\n%s\n' "$1" >"$tmp/program.t"
	chmod +x "$tmp/program.t"
	TEST_TIMEOUT=${2:-20} "$top/tests/lib/run-tests" --out "$tmp/out" "$tmp/program.t" >"$tmp/run.log" 2>&1
	status=$?
	"$top/tests/lib/summary" "$tmp/out" >"$tmp/summary.log" 2>&1
	sum=$?
	echo "$status, $(tail -n 1 "$tmp/summary.log"), $sum"
}

is "two passes" "$(result 'echo 1..2; echo ok 1; echo ok 2')" "0, 2 passed, 0 failed, 0 skipped, 0"
is "a failure, counted once" "$(result 'echo 1..2; echo ok 1; echo not ok 2; exit 1')" "1, 1 passed, 1 failed, 0 skipped, 1"
is "a skip beside a pass" "$(result 'echo 1..2; echo ok 1; echo "ok 2 - x # SKIP no disk"')" "0, 1 passed, 0 failed, 1 skipped, 0"
is "nothing but a skip is no success" "$(result 'echo "no disk"; exit 77')" "0, 0 passed, 0 failed, 1 skipped, 1"
ok "the reason of a skip is shown" grep -q 'no disk' "$tmp/summary.log"
is "exit status after passes" "$(result 'echo 1..1; echo ok 1; exit 3')" "1, 1 passed, 1 failed, 0 skipped, 1"
is "killed by a signal after a failure" "$(result 'echo 1..2; echo not ok 1; kill -SEGV $$')" "1, 0 passed, 3 failed, 0 skipped, 1"
is "too few tests" "$(result 'echo 1..3; echo ok 1')" "1, 1 passed, 1 failed, 0 skipped, 1"
is "skip status in the middle" "$(result 'echo 1..3; echo ok 1; exit 77')" "1, 1 passed, 1 failed, 0 skipped, 1"
is "no plan" "$(result 'echo hello')" "1, 0 passed, 1 failed, 0 skipped, 1"
is "no output" "$(result ':')" "1, 0 passed, 1 failed, 0 skipped, 1"
is "a hang" "$(result 'echo 1..1; sleep 60' 1)" "1, 0 passed, 2 failed, 0 skipped, 1"
is "an expected failure" "$(result 'echo 1..1; echo "not ok 1 # TODO later"')" "0, 1 passed, 0 failed, 0 skipped, 0"
is "an unexpected success" "$(result 'echo 1..1; echo "ok 1 # TODO later"')" "1, 0 passed, 1 failed, 0 skipped, 1"
is "a kselftest that skips" "$(result 'echo "TAP version 13"; echo "1..0 # SKIP no msharefs"; exit 4')" "0, 0 passed, 0 failed, 1 skipped, 1"
mkdir "$tmp/empty"
ok "no results at all is a failure" bash -c "! '$top/tests/lib/summary' '$tmp/empty'"
done_testing
