#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# contexts.t - snippets print the same with and without the library wherever they run: in threads, children, signal
# handlers, constructors, destructors, exec'd in all ways; beside libraries that interpose too, in either order.
# CONTEXTS_SNIPPETS: names of snippets, instead of a choice.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/same.sh"
context=$here_programs/.libs/libcontext.so
libraries=/usr/lib/x86_64-linux-gnu

snippets=(anonymous sysv partial-munmap)
# Emulated processors are slow, and stock backends the matter of a stock kernel.
if $on_msharefs; then backends=(msharefs); else snippets+=(mprotect fixed exec inherited); fi
[[ -z ${CONTEXTS_SNIPPETS-} ]] || read -ra snippets <<<"$CONTEXTS_SNIPPETS"

# fits SNIPPET: with hugetlb, a segment of huge pages can be told from others (shm_lpid, what munmap() takes). Before us,
# libtcmalloc's munmap() goes to the kernel, which ends no view; its mmap() does too, so it is shmat() that makes one.
fits() {
	[[ $1 != sysv || ($MSHARE_BACKEND != hugetlb && $before != *tcmalloc*) ]]
}

# all_the_same [VARIABLE=VALUE...]: every snippet, with that in the environment
all_the_same() {
	local snippet must
	for snippet in "${snippets[@]}"; do
		fits "$snippet" || continue
		must=$must_act
		! redirects_nothing "$snippet" || must=false
		must_act=$must same "$@" "$programs/$snippet" || { echo "in $snippet"; return 1; }
	done
}
redirects_nothing() { grep -q "^ \* Redirects with $MSHARE_BACKEND: 0" "$here/../snippets/$1.c"; }

# The other library makes us read the environment before our constructor runs.
told_of_mistake() {
	same MSHARE=perhaps "$here_programs/forks" && grep -q 'MSHARE="perhaps" makes no sense' "$work/preloaded.err"
}

# choose_backend NAME: "${act[@]}" then is what sees to it that it acts, $and_acts says so
choose_backend() {
	export MSHARE_BACKEND=$1
	act=(acting) and_acts=", and it acts"
	[[ $1 != none ]] || act=() and_acts=
}

# Beside what ASan and valgrind keep of the address space there need not be room for a window of 512 GB.
choose_crowded() {
	choose_backend "$1"
	[[ $1 != msharefs ]] || act=() and_acts=
}

# Demotions are logged once a process and its children; so are reasons to fall back.
log_lines=2
for backend in "${backends[@]}"; do
	choose_backend "$backend"
	after=:$context
	for name in thread handler child vfork spawn exec constructor destructor descriptors; do
		ok "$backend, $name: same output" all_the_same CONTEXT="$name"
		[[ $backend == none ]] || ok "$backend, $name: and redirected" redirected
	done
	after=
	for other in libjemalloc.so.2 libtcmalloc_minimal.so.4 faketime/libfaketime.so.1 libeatmydata.so; do
		[[ -f $libraries/$other ]] || { skip "$backend, $other" "not installed"; continue; }
		after=:$libraries/$other
		ok "$backend, before $other: same output$and_acts" "${act[@]}" all_the_same FAKETIME=+1d
		after='' before=$libraries/$other:
		[[ $other != *tcmalloc* ]] || act=() and_acts=
		ok "$backend, behind $other: same output$and_acts" "${act[@]}" all_the_same FAKETIME=+1d
		before=
		choose_backend "$backend"
	done
	after=:$here_programs/.libs/libforklock.so
	ok "$backend, beside a library that holds a lock over fork: same output$and_acts" "${act[@]}" same "$here_programs/forks"
	ok "$backend, beside it: what is wrong in the environment is said" told_of_mistake
	after=
	ok "$backend, RTLD_DEEPBIND: same output$and_acts" "${act[@]}" \
		same "$here_programs/deepbind" "$here_programs/.libs/libdeepbound.so"
done

# Programs built with ASan: its runtime wants to be the first library, or to be told not to mind. It has an mmap()
# of its own.
asan() {
	local name
	for name in anonymous sysv partial-munmap; do
		fits "$name" || continue
		same "$@" "$work/asan/$name" || { echo "in $name"; return 1; }
	done
}
build_asan() {
	local name
	mkdir "$work/asan"
	for name in anonymous sysv partial-munmap; do
		"${CC:-gcc}" -fsanitize=address -g -D_GNU_SOURCE -I"$here/../../preload" -o "$work/asan/$name" \
			"$here/../snippets/$name.c" || return 1
	done
}
runtime=$("${CC:-gcc}" -print-file-name=libasan.so)
ok "snippets can be built with AddressSanitizer" build_asan
for backend in "${backends[@]}"; do
	choose_crowded "$backend"
	ok "$backend, ASan told not to mind: same output$and_acts" "${act[@]}" \
		asan ASAN_OPTIONS=verify_asan_link_order=0
	[[ ! -f $runtime ]] || before=$(readlink -f "$runtime"):
	ok "$backend, behind ASan: same output" asan
	before=
done

# valgrind makes all calls itself, and has its own idea of where memory may be. What it finds in the snippets is what they
# do on purpose.
under_valgrind() {
	local name must
	for name in anonymous sysv-readonly; do
		must=$must_act
		# What valgrind attaches is not seen to be of huge pages.
		[[ $MSHARE_BACKEND-$name != hugetlb-sysv* ]] || must=false
		must_act=$must same valgrind --quiet --log-file="$work/valgrind" "$programs/$name" ||
			{ echo "in $name"; return 1; }
		! grep -B 5 -A 5 libmshare_preload "$work/valgrind" || return 1
	done
}
for backend in "${backends[@]}"; do
	choose_crowded "$backend"
	ok "$backend, under valgrind: same output$and_acts" "${act[@]}" under_valgrind
done
ok "no segment, huge page or file is left" machine_nothing_left
done_testing
