# shellcheck shell=bash
# SPDX-License-Identifier: PostgreSQL
# check-all.sh - ./quickstart check: every suite, natively and in the guest, then one result. Sourced by quickstart.
#
# Uses SRC, BUILD, LOG_DIR and step() of say.sh. A suite leaves *.trs files (automake's format) below BUILD.

# suite NAME SECONDS TEXT COMMAND...: a step whose failure is counted even if no single test of it failed, say
# because the guest never came up
suite() {
	local name=$1 status=0
	touch "$LOG_DIR/$name.start"
	step "$@" || status=$?
	if ((status == 0)) || failures_since "$LOG_DIR/$name.start"; then return; fi
	echo ":test-result: ERROR" >"$LOG_DIR/$name.trs"
	echo "ERROR: $name ended with status $status" >>"$LOG_DIR/$name.log"
}

# failures_since FILE: has a test failed since FILE was touched?
failures_since() {
	find "$BUILD" -name '*.trs' -newer "$1" -exec grep -qE '^:test-result: (FAIL|ERROR|XPASS)' {} \; -print -quit |
		grep -q .
}

sanitizers() {
	mkdir -p "$BUILD/sanitizers" && cd "$BUILD/sanitizers" || return
	[[ -e Makefile ]] || "$SRC/configure" -q --enable-sanitizers --without-pg-config || return
	make -j"$(nproc)" && make -k check SUBDIRS="preload tests/unit"
}

check_all() {
	local name seconds text
	find "$BUILD" -name '*.trs' -delete
	suite check-native 120 "tests on this machine's kernel" make -C "$BUILD" -k check
	suite check-sanitizers 60 "unit tests with ASan and UBSan" sanitizers
	suite check-builds 90 "other builds: gcc and clang -Werror, tarball, install" \
		env top_builddir="$BUILD" "$SRC/tests/lib/run-tests" --out "$BUILD/tests/builds" "$SRC/tests/integration/builds.t"
	while read -r name seconds text; do
		suite "vm-$name" "$seconds" "in the guest: $text" \
			env top_builddir="$BUILD" "$SRC/tests/vm/run-suite" "$name"
	done < <("$SRC/tests/vm/run-suite" --list)
	printf '\nLogs: %s\n' "$BUILD"
	"$SRC/tests/lib/summary" "$BUILD"
}
