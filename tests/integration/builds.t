#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# builds.t - the ways to build that developers do not use every day: warnings as errors under both compilers, and
# from the distribution tarball, installed below a DESTDIR. Not part of "make check", being slow: quickstart runs it.
# Needs top_builddir, a configured build tree.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$top/tests/lib/tap.sh"
: "${top_builddir:?the configured build tree}"

work=$(mktemp -d "$top_builddir/builds.XXXXXX") || exit 1
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
jobs=-j$(nproc)

# build NAME SOURCE CONFIGURE-OPTION...: configure and make SOURCE in a folder of its own
build() {
	local dir=$work/$1 source=$2
	shift 2
	mkdir "$dir" && cd "$dir" && "$source/configure" -q "$@" && make -s "$jobs"
}

tarball() {
	cd "$top_builddir" && make -s dist-xz &&
		tar -xf mshare-*.tar.xz -C "$work" && rm mshare-*.tar.xz && mv "$work"/mshare-* "$work/source" &&
		chmod -R a-w "$work/source"
}

installs() {
	cd "$work/tarball" && make -s install DESTDIR="$work/root" || return 1
	local file status=0
	for file in lib/libmshare_preload.so bin/mshare-run bin/mshare-bench include/mshare.h; do
		[[ -e $work/root/usr/local/$file ]] || { echo "not installed: $file"; status=1; }
	done
	[[ -e $work/root$(pg_config --pkglibdir)/pg_mshare.so ]] || { echo "not installed: pg_mshare.so"; status=1; }
	return "$status"
}

uninstalls() {
	cd "$work/tarball" && make -s uninstall DESTDIR="$work/root" || return 1
	local left
	left=$(find "$work/root" ! -type d)
	[[ -z $left ]] || { printf 'left behind:\n%s\n' "$left"; return 1; }
}

ok "gcc, warnings are errors" build gcc "$top" CC=gcc --enable-werror
ok "clang, warnings are errors" build clang "$top" CC=clang --enable-werror
ok "gcc -O0, warnings are errors" build debug "$top" CC=gcc CFLAGS='-O0 -g' --enable-werror
ok "make dist" tarball
ok "the tarball builds from a read-only folder" build tarball "$work/source"
ok "make install" installs
ok "make uninstall leaves nothing" uninstalls
done_testing
