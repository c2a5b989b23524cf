# shellcheck shell=bash
# SPDX-License-Identifier: PostgreSQL
# host.sh - is this machine fit, and has it the packages? Sourced by quickstart, which has die().

# as_root COMMAND...: directly, or through sudo
as_root() {
	if ((EUID == 0)); then
		"$@"
	else
		sudo -- "$@"
	fi
}

need_debian() {
	type apt-get dpkg-query >/dev/null 2>&1 ||
		die "apt-get or dpkg-query not found: this script installs Debian packages, so run it on Debian 12 (by hand: see CONTRIBUTING.md)"
	[[ $(uname -m) == x86_64 ]] ||
		die "this machine is $(uname -m); expected x86_64, the only one msharefs is written for: use such a machine"
}

# need_memory MB PURPOSE: MemAvailable, as the guest's memory is real memory of ours
need_memory() {
	local have
	have=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
	((have >= $1)) ||
		die "$have MB of memory available, $2 needs $1 MB: stop something or use a larger machine"
}

# need_disk MB DIR: free space where DIR is, or will be
need_disk() {
	local dir=$2 have
	while [[ ! -d $dir ]]; do dir=$(dirname "$dir"); done
	have=$(df --output=avail -BM "$dir" | tail -n 1 | tr -dc 0-9)
	((have >= $1)) ||
		die "$have MB free at $dir, $1 MB needed: free some, or name another place with --build-dir and MSHARE_CACHE"
}

# missing_packages: those of packages.list that are not installed, one a line
missing_packages() {
	local wanted installed
	wanted=$(sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$SRC/build-aux/packages.list" | sort -u)
	# shellcheck disable=SC2016 # dpkg-query expands these
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p' | sort -u)
	comm -23 <(printf '%s\n' "$wanted") <(printf '%s\n' "$installed")
}

# need_source PACKAGE: apt must know where to get it
need_source() {
	local candidate hint="check the package sources in /etc/apt"
	candidate=$(LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p')
	[[ -z $candidate || $candidate == '(none)' ]] || return 0
	[[ $1 != linux-source-* ]] ||
		hint="it is in Debian 12's security suite: add 'bookworm-security main' to the package sources in /etc/apt"
	die "no package source has $1: $hint, run 'apt-get update', then try again"
}

# Debian's postgresql package makes and starts a cluster when first installed. Nobody asked for one here,
# so for the time of the installation a drop-in says no; it is removed again at once.
without_cluster() (
	conf=/etc/postgresql-common/createcluster.d/zz-mshare-quickstart.conf
	as_root mkdir -p "${conf%/*}"
	trap 'as_root rm -f "$conf"' EXIT
	echo 'create_main_cluster = false' | as_root tee "$conf" >/dev/null
	"$@"
)

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# install_missing: bring the machine up to packages.list
install_missing() {
	local -a missing
	mapfile -t missing < <(missing_packages)
	if ((${#missing[@]} == 0)); then return; fi
	[[ $INSTALL == yes ]] ||
		die "not installed: ${missing[*]}; install them or leave out --no-install"
	((EUID == 0)) || command -v sudo >/dev/null ||
		die "not installed: ${missing[*]}; installing needs root, and there is no sudo: run this as root"
	((EUID == 0)) || sudo -v || die "sudo did not let $USER in: run this as root"
	must apt-update 30 "reading the package lists" as_root apt-get update
	local package
	for package in "${missing[@]}"; do need_source "$package"; done
	must apt-install 180 "installing ${#missing[@]} Debian packages: ${missing[*]}" \
		without_cluster apt_install "${missing[@]}"
}

need_qemu() {
	command -v qemu-system-x86_64 >/dev/null ||
		die "qemu-system-x86_64 not found: install Debian's qemu-system-x86"
}
