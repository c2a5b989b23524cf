#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# style.t - what a reader should not have to look for: licences, shell and Python errors, man page warnings,
# the kernel's coding style.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$top/tests/lib/tap.sh"
cd "$top" || exit 1

# Only git knows which files are ours; who owns the clone does not matter.
[[ -e .git ]] || skip_all "style is checked in a git clone, this is none"
sources() {
	local file
	git -c safe.directory='*' ls-files --cached --others --exclude-standard |
		while read -r file; do [[ ! -f $file ]] || echo "$file"; done
}
mapfile -t files < <(sources)

# with_first_line REGEX: those sources whose first line matches
with_first_line() {
	local file
	for file in "${files[@]}"; do
		if head -n 1 "$file" | grep -qaE "$1"; then echo "$file"; fi
	done
}
((${#files[@]} > 0)) || { echo "Bail out! git ls-files names no file"; exit 1; }
mapfile -t scripts < <(with_first_line '^#! ?/bin/(ba)?sh|^# shellcheck shell=')
mapfile -t python < <({ with_first_line '^#!.*python3'; printf '%s\n' "${files[@]}" | grep '\.py$'; } | sort -u)
mapfile -t manuals < <(printf '%s\n' "${files[@]}" | grep -E '\.[1-8]$')

# No comment can be put into these: formats without one, other programs' words, stored output.
no_comment='\.(json|svg|png|out|html|control)$|^LICENSES/|^bench/(regress|results)/|^kernel/patches/|/selftests/mshare/(config|settings)$|^pgext/(expected|sql)/|/\.gitkeep$'

licences() {
	local file wanted status=0
	for file in "${files[@]}"; do
		[[ $file =~ $no_comment ]] && continue
		wanted=PostgreSQL
		[[ $file == kernel/* ]] && wanted='GPL-2\.0'
		head -n 5 "$file" | grep -qaE "SPDX-License-Identifier: $wanted" ||
			{ echo "$file: no 'SPDX-License-Identifier: ${wanted//\\/}' in its first 5 lines"; status=1; }
	done
	return "$status"
}

short_scripts() {
	wc -l "${scripts[@]}" | awk '$2 != "total" && $1 >= 250 { print $2 ": " $1 " lines, below 250 wanted"; bad = 1 } END { exit bad }'
}

python_compiles() {
	PYTHONPYCACHEPREFIX=$(mktemp -d) || return 1
	export PYTHONPYCACHEPREFIX
	/usr/bin/python3 -W error -m py_compile "${python[@]}"
	local status=$?
	rm -rf "$PYTHONPYCACHEPREFIX"
	return "$status"
}

manuals_are_clean() {
	local page output status=0
	for page in "${manuals[@]}"; do
		output=$(groff -man -Tutf8 -ww -z "$page" 2>&1)
		[[ -z $output ]] || { printf '%s\n' "$output"; status=1; }
	done
	return "$status"
}

# Who signs off is decided when a series is sent, and MAINTAINERS is touched then. The selftests read
# through volatile pointers on purpose: the access itself is what they test. Trace events have the layout
# that all of the kernel's have, which checkpatch does not know.
checkpatch() {
	(cd "$tree" && perl scripts/checkpatch.pl --strict --quiet --terse --no-summary \
		--ignore MISSING_SIGN_OFF,FILE_PATH_CHANGES,NO_AUTHOR_SIGN_OFF "$@")
}

checkpatch_new_files() {
	local -a own tests events
	mapfile -t own < <(cd kernel/linux && find . \( -path ./tools -o -path ./include/trace \) -prune -o -type f -name '*.[chS]' -printf '%P\n')
	mapfile -t tests < <(cd kernel/linux && find ./tools -type f -name '*.[chS]')
	mapfile -t events < <(cd kernel/linux && find ./include/trace -type f -name '*.h')
	checkpatch -f "${own[@]}" && checkpatch --ignore VOLATILE -f "${tests[@]}" &&
		checkpatch --ignore OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT -f "${events[@]}"
}

checkpatch_patches() {
	local -a patches
	mapfile -t patches < <(sed "s/#.*//; /^[[:space:]]*\$/d; s|^|$top/kernel/patches/|" kernel/patches/series)
	((${#patches[@]} > 0)) || { echo "kernel/patches/series names no patch"; return 1; }
	checkpatch "${patches[@]}"
}

# what .shellcheckrc says goes for all folders
ok "shell scripts pass shellcheck" shellcheck --exclude="$(sed -n 's/^disable=//p' .shellcheckrc)" "${scripts[@]}"
ok "shell scripts are short" short_scripts
ok "every file names its licence" licences
if ((${#python[@]})); then ok "Python compiles without a warning" python_compiles; fi
if ((${#manuals[@]})); then ok "man pages format without a warning" manuals_are_clean; fi
if tree=$(kernel/scripts/prepare 2>/dev/null); then
	ok "checkpatch: new kernel files" checkpatch_new_files
	ok "checkpatch: patches" checkpatch_patches
else
	skip "checkpatch: new kernel files" "kernel/scripts/prepare could not make the kernel tree"
	skip "checkpatch: patches" "kernel/scripts/prepare could not make the kernel tree"
fi
done_testing
