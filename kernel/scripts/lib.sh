# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the scripts of kernel/scripts have in common: messages, the cache and its
# lock, remembered durations, the identity of the kernel sources, and make.
#
# The cache is ${MSHARE_CACHE:-~/.cache/mshare}:
#   source/SUM/          the base tree with our files and patches in it
#   build/CONFIG-SUM/    the one build tree of a guest configuration
#   {source,build}/series-SUM/  trees of check-series
#   kernel/CONFIG-KEY/   finished kernels, named by what went into them
#   seconds/             how long each long step took last time
#   ccache/              compiler cache, unless CCACHE_DIR says otherwise

kernel_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit 2
cache_dir=${MSHARE_CACHE:-${HOME:-/root}/.cache/mshare}
progname=${0##*/}
config=guest		# what is built, and under which version
key=0

# die MESSAGE: an error of the user's, or of what the user has installed.
die()
{
	printf '%s: %s\n' "$progname" "$*" >&2
	exit 2
}

# say MESSAGE: progress; standard output belongs to results.
say()
{
	printf '%s: %s\n' "$progname" "$*" >&2
}

# is_count VALUE: a positive decimal number.
is_count()
{
	[[ $1 =~ ^[1-9][0-9]{0,8}$ ]]
}

# need_tool COMMAND PACKAGE
need_tool()
{
	command -v "$1" >/dev/null ||
		die "$1 is not installed: run: apt-get install $2"
}

make_cache_dir()
{
	if ! mkdir -p "$cache_dir" 2>/dev/null || ! [ -w "$cache_dir" ]; then
		die "cannot write the cache $cache_dir: set MSHARE_CACHE to a directory that can be written"
	fi
}

# lock_cache: wait until nobody else changes the cache.  The lock lives as long
# as the descriptor, so children (make, prepare under build) hold it too.
lock_cache()
{
	local lock=$cache_dir/lock fd=${MSHARE_CACHE_LOCK_FD:-}

	make_cache_dir
	[ -n "$fd" ] && [ "/proc/self/fd/$fd" -ef "$lock" ] && return
	exec {fd}>>"$lock"
	if ! flock --nonblock "$fd"; then
		say "waiting for another prepare or build in $cache_dir"
		flock "$fd"
	fi
	export MSHARE_CACHE_LOCK_FD=$fd
}

# last_time STEP: " (N s last time)", or nothing if it never ran here.
last_time()
{
	local seconds

	if read -r seconds 2>/dev/null <"$cache_dir/seconds/$1"; then
		printf ' (%s s last time)' "$seconds"
	fi
}

# remember_time STEP SECONDS
remember_time()
{
	mkdir -p "$cache_dir/seconds" && echo "$2" >"$cache_dir/seconds/$1"
}

# base_value KEY: the value of a key=value line of kernel/BASE.
base_value()
{
	local value

	value=$(sed -n "s/^$1=//p" "$kernel_dir/BASE")
	[ -n "$value" ] || die "$kernel_dir/BASE has no line $1=..."
	printf '%s\n' "$value"
}

# base_sum: the checksum of the installed base tarball, after the check that it
# is the pinned one or a newer version of the same package.
base_sum()
{
	local package version tarball want have installed

	package=$(base_value package) && version=$(base_value version) &&
		tarball=$(base_value tarball) && want=$(base_value sha256) || exit
	[ -r "$tarball" ] ||
		die "$tarball is missing: run: apt-get install $package"
	have=$(sha256sum <"$tarball") && have=${have%% *} || exit
	if [ "$have" != "$want" ]; then
		installed=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null)
		dpkg --compare-versions "${installed:-0}" gt "$version" ||
			die "$tarball has sha256 $have, expected $want ($package $version): run: apt-get install --reinstall $package"
		say "$package is $installed, newer than the $version that kernel/BASE names: trying it"
	fi
	printf '%s\n' "$have"
}

# list_patches: the names in kernel/patches/series, in order.
list_patches()
{
	local series=$kernel_dir/patches/series

	[ ! -e "$series" ] ||
		sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' "$series"
}

# list_new_files: paths below kernel/linux, without what editors leave behind.
list_new_files()
{
	(cd "$kernel_dir/linux" 2>/dev/null &&
		find . -type f ! -name '*~' ! -name '.*.sw?' ! -name '.#*' \
			! -name '*.orig' ! -name '*.rej' -printf '%P\n' | LC_ALL=C sort)
}

# source_key BASE_SUM [EXCLUDE_REGEX]: identity of base, new files and patches.
# The second argument leaves out new files that a build does not read.
source_key()
{
	{
		echo "$1"
		list_new_files | grep -Ev "${2:-^$}" |
			(cd "$kernel_dir/linux" 2>/dev/null && xargs -r -d '\n' sha256sum)
		list_patches
		list_patches |
			(cd "$kernel_dir/patches" 2>/dev/null && xargs -r -d '\n' cat 2>/dev/null)
	} | sha256sum | cut -c 1-64
}

# fragments: what is put on top of allnoconfig for $config, later lines overriding
# earlier ones.
fragments()
{
	cat "$kernel_dir/config/guest.config"
	[ "$config" = guest ] || cat "$kernel_dir/config/$config.config"
}

# kbuild TREE OBJ TARGET...: make with everything fixed that would otherwise
# name this machine, this user or this day; $key is the version of the build.
# Becomes make, so call it in a subshell or in the background: a signal to that
# process then reaches make.
kbuild()
{
	local tree=$1 obj=$2 cc=gcc

	shift 2
	if command -v ccache >/dev/null; then
		cc='ccache gcc'
		export CCACHE_DIR=${CCACHE_DIR:-$cache_dir/ccache}
		# kbuild lets the compiler list the headers anyway: no need to
		# run the preprocessor for that, a fifth of a first build
		export CCACHE_DEPEND=1
	fi
	exec env -u MAKEFLAGS -u MFLAGS -u LDFLAGS -u CFLAGS \
		KBUILD_BUILD_USER=mshare KBUILD_BUILD_HOST=guest \
		KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970' KBUILD_BUILD_VERSION="$key" LC_ALL=C \
		make -C "$tree" O="$obj" CC="$cc" HOSTCC="$cc" -j"$(nproc)" "$@"
}
