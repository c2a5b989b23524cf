#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# series.t.sh - kernel/scripts/series: what it writes for the kernel of this tree applies to the base with git am, ends
# with the selftests, and gives the tree that is built; and what it refuses, on a base of one file. Needs no guest.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck source=../lib/tap.sh
. "$top/tests/lib/tap.sh"

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null

# base_repository TREE PATCH...: in ./repo, what of the base the patches change
base_repository() {
	local tree=$1 file
	shift
	git init -q repo
	while read -r file; do
		mkdir -p "repo/$(dirname "$file")"
		cp "$tree/.mshare/orig/$file" "repo/$file"
	done < <(sed -n 's,^--- a/,,p' "$@" | sort -u)
	git -C repo add -A
	git -C repo -c user.name=t -c user.email=t@example.org commit -qm base
}

am() {
	git -C repo -c user.name=t -c user.email=t@example.org am -q "$@"
}

# same_as_built TREE: every file in ./repo is as in the prepared tree, and none of ours is missing
same_as_built() {
	local file status=0
	while read -r file; do
		cmp "repo/$file" "$1/$file" || status=1
	done < <(git -C repo ls-files)
	while read -r file; do
		[[ -e repo/$file ]] || { echo "$file is in no patch"; status=1; }
	done < <(cd "$top/kernel/linux" && git -c safe.directory='*' ls-files 2>/dev/null || find . -type f -printf '%P\n')
	return "$status"
}

# only_below FOLDER PATCH...: the patches touch nothing else
only_below() {
	local folder=$1
	shift
	! sed -n 's,^+++ b/,,p' "$@" | grep -v "^$folder/"
}

cd "$dir" || exit 1
tree=$("$top/kernel/scripts/prepare") || { echo "Bail out! kernel/scripts/prepare failed"; exit 1; }
ok "series: writes" "$top/kernel/scripts/series" --out "$dir/out"
mapfile -t patches < <(find out -name '*.patch' ! -name '0000-*' | sort)
ok "one patch for each hook, and for new files" \
	test "${#patches[@]}" -gt "$(grep -c '^[0-9].*\.patch' "$top/kernel/patches/series")"
ok "a cover letter with a subject" grep -q '^Subject: \[PATCH 00*/[1-9][0-9]*\] [A-Z]' out/0000-cover-letter.patch
base_repository "$tree" "${patches[@]}"
ok "git am" am "${patches[@]/#/$dir/}"
ok "the result is what is built" same_as_built "$tree"
mapfile -t tests < <(grep -l '^+++ b/tools/' "${patches[@]}" | sort)
ok "the selftests are last" test "${tests[*]}" = "${patches[*]: -${#tests[@]}}"
ok "they are about nothing else" only_below tools/testing/selftests "${tests[@]}"
grep -l '^+obj-.*CONFIG_MSHARE. += mshare' "${patches[@]}" >enable
ok "one patch adds msharefs to the build" test "$(wc -l <enable)" = 1
after=$(awk -v enable="$(cat enable)" 'FILENAME > enable && /^\+\+\+ b\/(mm|include|arch|kernel|ipc|fs)\// { print FILENAME, $2 }' "${patches[@]}")
is "and comes after all that it builds" "$after" ""
"$top/kernel/scripts/series" --out "$dir/again" >/dev/null
ok "twice the same" diff -r out again

# refusals: a kernel folder of two files
export MSHARE_CACHE=$dir/cache
mkdir -p own/linux/mm own/patches/new base/linux/mm
cp -r "$top/kernel/scripts" own/
printf '%s\n' one two three >base/linux/mm/a.c
tar -C base -cJf base.tar.xz linux
printf '%s\n' package=dpkg version=0.1 "tarball=$dir/base.tar.xz" "sha256=$(sha256sum <base.tar.xz | cut -d ' ' -f 1)" >own/BASE
printf '%s\n' 'From: nobody <n@example.org>' 'Date: Tue, 24 Nov 2026 13:50:00 +0000' 'Subject: a hook' '' '--- a/mm/a.c' \
	'+++ b/mm/a.c' '@@ -1,3 +1,3 @@' ' one' '-two' '+2' ' three' >own/patches/1.patch
printf '%s\n' 'From: nobody <n@example.org>' 'Date: Tue, 24 Nov 2026 13:50:00 +0000' 'Subject: a file' '' 'Why.' --- \
	'mm/new*' >own/patches/new/file
printf '%s\n' 'A title' '' 'Text.' >own/patches/new/cover
printf '%s\n' '# new: file' '1.patch # a comment' >own/patches/series
echo new >own/linux/mm/new.c

# series OPTION...: its status in $status, what it says in ./err
series() {
	rm -rf written
	own/scripts/series "$@" >said 2>err
	status=$?
}

# refuses NAME PATTERN: the run before failed with exit status 2 and a last line that matches
refuses() {
	is "$1: exit status" "$status" 2
	ok "$1: says what" grep -qE -- "$2" <(tail -n 1 err)
}

series --out "$dir/written"
is "new files first, then the hook" "$status $(grep -h '^+++' written/*.patch | xargs)" "0 +++ b/mm/new.c +++ b/mm/a.c"
echo other >own/linux/mm/other.c
series --out "$dir/written"
refuses "a new file that no patch names" 'kernel/linux/mm/other\.c is in no patch'
is "and nothing is written" "$(ls written)" ""
rm own/linux/mm/other.c
echo mm/gone.c >>own/patches/new/file
series --out "$dir/written"
refuses "a named file that is not there" 'new/file names mm/gone\.c, which is not'
sed -i '$d' own/patches/new/file
echo '# new: nothing' >>own/patches/series
series --out "$dir/written"
refuses "a patch that is not described" "'# new: nothing', but there is no"
series --out "$dir/own"
refuses "a directory with something in it" 'expected an empty directory'
series
refuses "no directory" 'give one with --out'
series --nonsense
refuses "unknown option" "unknown option or argument '--nonsense'"
is "no temporary directory is left" "$(TMPDIR=$dir/tmp; mkdir "$TMPDIR"; export TMPDIR; series --out "$dir/written"; ls "$TMPDIR")" ""

done_testing
