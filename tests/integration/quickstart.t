#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# quickstart.t - wrong use and unfit machines: one line that names what is wrong and what to do, exit status 2.
# Nothing is installed or built: every case ends before that.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$top/tests/lib/tap.sh"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export MSHARE_CACHE=$tmp/cache

# refuses TEXT COMMAND...: COMMAND ends with status 2 and exactly one line on stderr, which holds TEXT
refuses() {
	local text=$1 status=0
	shift
	"$@" </dev/null >"$tmp/out" 2>"$tmp/err" || status=$?
	cat "$tmp/out" "$tmp/err"
	[[ $status == 2 ]] || { echo "exit status $status, wanted 2"; return 1; }
	[[ $(wc -l <"$tmp/err") == 1 ]] || { echo "more or less than one line on stderr"; return 1; }
	grep -qF -- "$text" "$tmp/err" || { echo "the line does not say: $text"; return 1; }
}

# here COMMAND...: in a mount namespace of its own, where the machine can be made to look different
here() {
	# shellcheck disable=SC2016 # for the inner bash
	unshare --mount -- bash -c "$1"' && exec "${@:2}"' bash "$@"
}

# path_without PROGRAM...: a PATH with everything but these
path_without() {
	local dir=$tmp/bin-$1 program
	mkdir -p "$dir"
	find /usr/bin /usr/sbin /bin /sbin -maxdepth 1 ! -type d -exec ln -sf -t "$dir" {} +
	for program in "$@"; do rm -f "$dir/$program"; done
	echo "$dir"
}

# program NAME TEXT: a shell script of this name in the folder $tmp/fake, to stand before the real one
program() {
	mkdir -p "$tmp/fake"
	printf '#!/bin/bash\n%s\n' "$2" >"$tmp/fake/$1"
	chmod +x "$tmp/fake/$1"
}

quick=$top/quickstart

ok "--help" bash -c "'$quick' --help | grep -q '^Usage: ./quickstart bench'"
ok "check --help" bash -c "'$quick' check --help | grep -q '^Usage: ./quickstart bench'"
ok "no verb" refuses "no verb" "$quick"
ok "unknown verb" refuses "'chekc'" "$quick" chekc
ok "two verbs" refuses "'check'" "$quick" bench check
ok "unknown option" refuses "'--fast'" "$quick" bench --fast
ok "option without its value" refuses "--build-dir DIR" "$quick" check --build-dir
ok "an option of bench given to check" refuses "--out" "$quick" check --out /tmp
ok "build folder is the clone" refuses "the clone itself" "$quick" check --build-dir "$top"
ok "no Debian" refuses "run it on Debian 12" env PATH="$(path_without apt-get)" "$quick" check

# ended_in_a_step SIGNAL STATUS: quickstart gets SIGNAL while a step runs; its exit status, and nothing runs on
ended_in_a_step() {
	local pid status=0
	rm -f "$tmp/step"
	# a background job of bash ignores SIGINT, and so would the script: env gives it back
	PATH="$tmp/fake:$PATH" env --default-signal=INT "$quick" check --no-install --build-dir "$tmp/ended" >"$tmp/out" 2>&1 &
	pid=$!
	timeout 60 bash -c "until [[ -s '$tmp/step' ]]; do sleep 0.1; done" || { cat "$tmp/out"; return 1; }
	kill -s "$1" "$pid"
	wait "$pid" || status=$?
	[[ $status == "$2" ]] || { echo "exit status $status, wanted $2"; return 1; }
	timeout 60 bash -c "while pgrep -F '$tmp/step' || pgrep -f '^sleep 1234567'; do sleep 0.1; done"
}
# shellcheck disable=SC2016 # for that script
program autoreconf 'sleep 1234567 & echo $$ >'"$tmp/step"'; wait'
ok "SIGTERM in a step" ended_in_a_step TERM 143
ok "SIGINT in a step" ended_in_a_step INT 130
rm "$tmp/fake/autoreconf"

ok "no QEMU" refuses "qemu-system-x86_64 not found" env PATH="$(path_without qemu-system-x86_64)" "$quick" check --no-install

program dpkg-query 'exec /usr/bin/dpkg-query "$@" | grep -v " bc$"'
ok "missing package with --no-install" refuses "not installed: bc" \
	env PATH="$tmp/fake:$PATH" "$quick" check --no-install
program apt-cache 'echo "  Candidate: (none)"'
program dpkg-query 'exec /usr/bin/dpkg-query "$@" | grep -v " linux-source-6.12$"'
program apt-get 'exit 0'
ok "no package source for the kernel" refuses "bookworm-security" env PATH="$tmp/fake:$PATH" "$quick" check
program apt-get 'echo "E: no network" >&2; exit 100'
ok "apt-get fails: status is no success, log named" bash -c \
	"! PATH='$tmp/fake:$PATH' '$quick' check >'$tmp/out' 2>&1 && grep -q 'apt-update.log' '$tmp/out'"

mkdir -p "$tmp/busy"
ok "a second run in the same folder" flock "$tmp/busy/lock" bash -c \
	"$(declare -f refuses); tmp='$tmp'; refuses 'another quickstart' '$quick' check --build-dir '$tmp/busy'"

if ((EUID == 0)) && unshare --mount true 2>/dev/null; then
	sed 's/^MemAvailable:.*/MemAvailable: 1048576 kB/' /proc/meminfo >"$tmp/meminfo"
	ok "too little memory" refuses "1024 MB of memory available" \
		here "mount --bind '$tmp/meminfo' /proc/meminfo" "$quick" bench
	mkdir -p "$tmp/small"
	ok "too little disk" refuses "MB needed" \
		here "mount -t tmpfs -o size=10m tmpfs '$tmp/small'" "$quick" check --build-dir "$tmp/small/build"
	program dpkg-query 'exec /usr/bin/dpkg-query "$@" | grep -v " bc$"'
	rm -f "$tmp/fake/apt-get" "$tmp/fake/apt-cache"
	# the clone may lie where nobody cannot look
	mkdir "$tmp/copy"
	cp -r "$top/quickstart" "$top/build-aux" "$top/tests" "$tmp/copy"
	chmod -R a+rX "$tmp"
	install -d -o nobody "$tmp/nobody"
	ok "no root and no sudo" refuses "there is no sudo" setpriv --reuid=nobody --clear-groups \
		env HOME="$tmp/nobody" MSHARE_CACHE="$tmp/nobody" PATH="$tmp/fake:$(path_without sudo)" \
		bash "$tmp/copy/quickstart" check
else
	skip "too little memory" "needs root and a mount namespace"
	skip "too little disk" "needs root and a mount namespace"
	skip "no root and no sudo" "needs root, to become somebody else"
fi
ok "nothing was left in the clone" bash -c "! ls -d '$top'/logs '$top'/lock 2>/dev/null"
done_testing
