#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# readme.t - what README.md, CONTRIBUTING.md and doc/ say must be so: figures, links, paths, commands, options.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$top/tests/lib/tap.sh"
: "${top_builddir:?the configured build tree}"
cd "$top" || exit 1
texts=(README.md CONTRIBUTING.md doc/*.md)

# code: everything that stands in backticks or in an indented or fenced block, one piece a line
code() {
	sed 's/^[[:space:]]*```.*//' "${texts[@]}" | awk '
		BEGIN { RS = "`" } NR % 2 == 0 { gsub(/\n/, " "); print }'
	# shellcheck disable=SC2016 # the backticks of Markdown
	sed -n '/^[[:space:]]*```/,/^[[:space:]]*```/{ /```/d; s/^[[:space:]]*//; s/#.*//; p }' "${texts[@]}"
}

# all_exist: every line of standard input names a file, of the sources or built
all_exist() {
	local name status=0 count=0
	while read -r name; do
		count=$((count + 1))
		[[ -e $name || -e $top_builddir/$name ]] || { echo "no such file: $name"; status=1; }
	done
	((count > 0)) || { echo "nothing found to check"; return 1; }
	return "$status"
}

links() {
	local text
	for text in "${texts[@]}"; do
		grep -oP '\]\(\K[^)#]+' "$text" | grep -v '^https\?:' | sed "s|^|$(dirname "$text")/|"
	done | all_exist
}

paths() {
	code | grep -oE '(^|[ /.])(kernel|preload|pgext|bench|tests|doc|build-aux)/[A-Za-z0-9_./-]*' |
		sed 's|^[ ./]*||; s|\.$||' | sort -u | all_exist
}

# each PATTERN CHECK...: every string that PATTERN finds in the code must pass CHECK
each() {
	local pattern=$1 item status=0 count=0
	shift
	while read -r item; do
		count=$((count + 1))
		"$@" "$item" || { echo "not so: $item"; status=1; }
	done < <(code | grep -oP -- "$pattern" | sort -u)
	((count > 0)) || { echo "nothing found that looks like $pattern"; return 1; }
	return "$status"
}

make_target() { grep -qE "^($1|$1-[a-z]+):" "$top_builddir/Makefile"; }
# --help shows one of --with-x and --without-x
configure_option() { ./configure --help | grep -qE -- "^  ${1/#--without-/--with-}"; }
bench_option() { "$top_builddir/bench/mshare-bench" --help | grep -qF -- "$1"; }
quickstart_verb() { ./quickstart "$1" --help | grep -q "quickstart $1"; }
in_manual() { grep -qF "$1" preload/libmshare_preload.7 quickstart; }

ok "figures are those of the stored run" build-aux/readme-figures --check
ok "links lead somewhere" links
ok "files that are named exist" paths
ok "make targets" each '^make \K[a-z-]+' make_target
ok "configure options" each '(?<=configure |with |^)--(enable|with|without)-[a-z-]+' configure_option
ok "options of mshare-bench" each '(-- |BENCHFLAGS=)\K--[a-z-]+' bench_option
ok "verbs of quickstart" each '^\./quickstart \K[a-z]+' quickstart_verb
ok "environment variables are in the manual" each '\bMSHARE(_[A-Z]+)?\b(?=$|=)' in_manual
done_testing
