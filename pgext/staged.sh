# shellcheck shell=bash
# SPDX-License-Identifier: PostgreSQL
# staged.sh - the extension below a folder, where nobody else sees it, and a server that finds it there. Sourced by the
# scripts here that start servers; they have set top, the source tree, and top_builddir, the configured build tree.

: "${top:?}" "${top_builddir:?}"

# install_below ROOT: into ROOT, where a package has it below /
install_below() {
	make -s -C "$top_builddir/pgext" -f "$top/pgext/Makefile" USE_PGXS=1 with_llvm=no install DESTDIR="$1"
}

# settings_of ROOT: lines for postgresql.conf; before PostgreSQL 18, Debian had a setting of its own for that
settings_of() {
	if (($(pg_config --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/') >= 18)); then
		echo "extension_control_path = '$1$(pg_config --sharedir):\$system'"
	else
		echo "extension_destdir = '$1'"
	fi
	echo "dynamic_library_path = '$1$(pg_config --pkglibdir):\$libdir'"
}
