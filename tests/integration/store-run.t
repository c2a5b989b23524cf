#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# store-run.t - storing a benchmark: what is stored, README.md's figures with it, and what must not be stored.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$top/tests/lib/tap.sh"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# A tree of its own, and a storm that is stored already, as mshare-bench might have written it again
mkdir -p "$tmp/tree/build-aux" "$tmp/tree/bench/results" || exit 1
cp "$top"/build-aux/{store-run,readme-figures} "$tmp/tree/build-aux"
cp -r "$top/bench/results/storm-300GB" "$tmp/storm-300GB"
printf '<!-- figures: bench/results/storm-300GB -->\n<!-- end of figures -->\n' >"$tmp/tree/README.md"
store=$tmp/tree/build-aux/store-run

same() { diff -r "$tmp/storm-300GB" "$tmp/tree/bench/results/$1"; }
only() { [[ $(ls -A "$tmp/tree/bench/results") == "$1" ]] || { ls -A "$tmp/tree/bench/results"; return 1; }; }
# refused TEXT ARGUMENT...: exit status 2, one line about it (after names of files), and nothing stored
refused() {
	local text=$1 said status=0
	shift
	said=$("$store" "$@" 2>&1 >/dev/null) || status=$?
	[[ $status == 2 && $(wc -l <<<"$said") == 1 && $said == *"$text"* ]] || { echo "$status: $said"; return 1; }
	only storm-300GB
}

ok "a storm" "$store" "$tmp/storm-300GB"
ok "all of it is stored" same storm-300GB
ok "README.md has its figures" grep -q 'processes that got through' "$tmp/tree/README.md"
ok "once more, instead of the one before" "$store" "$tmp/storm-300GB/" storm-300GB
ok "all of that is stored" same storm-300GB
is "and nothing else" "$(only storm-300GB)" ""

ok "no results" refused "neither summary.json nor storm.json" "$tmp/tree"
ok "no folder" refused "neither summary.json nor storm.json" "$tmp/nowhere"
ok "no argument" refused "expected a folder"
ok "a name that leads elsewhere" refused "is no name" "$tmp/storm-300GB" ../other
ok "an option that is none" refused "--force" --force "$tmp/storm-300GB"
ok "a program that is none" refused "is no program" --mshare-bench "$tmp/none" "$tmp/storm-300GB"

mkdir "$tmp/bare" && cp "$tmp/storm-300GB/storm.json" "$tmp/bare"
ok "without raw files" refused "nobody could trace" "$tmp/bare"
cp -r "$tmp/storm-300GB" "$tmp/failed" && sed -i '1a "errors": [],' "$tmp/failed/storm.json"
ok "with errors" refused "not everything was measured" "$tmp/failed"
cp -r "$tmp/storm-300GB" "$tmp/named" && echo "$HOME/secret" >"$tmp/named/raw/storm-stock/stderr.txt"
ok "with names of this machine's folders" refused "name folders of this machine" "$tmp/named"
done_testing
