#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# prepare.t.sh - kernel/scripts/prepare makes the tree it should from a base, new files and patches, touches only what
# changed, survives interruption, and refuses what does not fit. Works on a base of two files; needs no guest.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck source=../lib/tap.sh
. "$top/tests/lib/tap.sh"

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export MSHARE_CACHE=$dir/cache
cd "$dir" || exit 1

# write_base VERSION LINE: a tarball whose mm/a.c has LINE in its middle, as VERSION in BASE
write_base() {
	rm -rf base
	mkdir -p base/linux/mm
	printf '%s\n' one two "$2" four five >base/linux/mm/a.c
	echo untouched >base/linux/mm/b.c
	tar -C base -cJf base.tar.xz linux
	printf '%s\n' package=dpkg "version=$1" "tarball=$dir/base.tar.xz" \
		"sha256=$(sha256sum <base.tar.xz | cut -d ' ' -f 1)" >kernel/BASE
}

# write_patch NAME OLD NEW [LINE_BEFORE]: changes line 3 of mm/a.c
write_patch() {
	printf '%s\n' 'From: nobody' 'Subject: a test' '' '--- a/mm/a.c' '+++ b/mm/a.c' '@@ -1,5 +1,5 @@' \
		' one' " ${4-two}" "-$2" "+$3" ' four' ' five' >"kernel/patches/$1"
}

prepare() {
	kernel/scripts/prepare "$@" >out 2>err
	status=$?
}

# refuses NAME PATTERN: the run before failed with exit status 2 and a last line that matches
refuses() {
	is "$1: exit status" "$status" 2
	ok "$1: says what" grep -qE -- "$2" <(tail -n 1 err)
}

mkdir -p kernel/linux/mm kernel/patches
cp -r "$top/kernel/scripts" kernel/
write_base 0.1 three

prepare
tree=$(cat out)
is "no series: the base" "$status $(sed -n 3p "$tree/mm/a.c")" "0 three"

echo new >kernel/linux/mm/new.c
echo '1.patch # a comment' >kernel/patches/series
write_patch 1.patch three THREE
prepare
is "one patch, one new file, same tree" "$(cat out) $(sed -n 3p "$tree/mm/a.c") $(cat "$tree/mm/new.c")" "$tree THREE new"

touch -d 2001-01-01 "$tree"/mm/*.c
echo newer >kernel/linux/mm/new.c
prepare
is "only what changed is new for make" "$(cd "$tree/mm" && find . -name '*.c' -newermt 2002-01-01)" "./new.c"

write_patch 2.patch THREE 3
echo 2.patch >>kernel/patches/series
prepare
is "a second patch on top" "$(sed -n 3p "$tree/mm/a.c")" 3

rm "$tree/.mshare/key" && echo half-written >"$tree/mm/a.c" && rm "$tree/mm/new.c"
prepare
is "after an interruption" "$(sed -n 3p "$tree/mm/a.c") $(cat "$tree/mm/new.c")" "3 newer"

write_patch 1.patch three THREE TWO
prepare
refuses "context that differs" 'kernel/patches/1\.patch does not apply'
write_patch 1.patch three THREE

cp base/linux/mm/b.c kernel/linux/mm/b.c
prepare
refuses "a new file that is none" 'kernel/linux/mm/b\.c exists in the base'
rm kernel/linux/mm/b.c

echo gone.patch >>kernel/patches/series
prepare
refuses "a patch that is missing" 'names gone\.patch'

rm -r kernel/patches kernel/linux/mm/new.c
prepare
is "back to the base" "$(diff -r --exclude=.mshare "$tree" base/linux && echo same)" same

prepare --dest "$dir/own"
is "--dest" "$(cat out) $(sed -n 3p own/mm/a.c)" "$dir/own three"
mkdir full && touch full/file
prepare --dest "$dir/full"
refuses "--dest with something else in it" 'not empty'
prepare --nonsense
refuses "unknown option" "unknown option or argument '--nonsense'"

# other bases than the pinned one: dpkg, as the package, is always installed and newer than 0.1
sed -i 's/^sha256=.*/sha256=0/' kernel/BASE
prepare
is "a newer base that fits is taken" "$status" 0
ok "a newer base: said" grep -q 'newer than the 0\.1' err
sed -i 's/^version=.*/version=999/' kernel/BASE
prepare
refuses "a wrong checksum" 'has sha256 .*, expected 0 .*--reinstall'
sed -i 's/^tarball=.*/tarball=no.such.tar/' kernel/BASE
prepare
refuses "no base" 'no\.such\.tar is missing: run: apt-get install'

done_testing
