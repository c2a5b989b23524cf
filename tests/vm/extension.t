#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# extension.t - pg_mshare's regression tests (pg_regress) in a server of its own, stock and under the preload library.
# Installs the extension into the server's directories, so it runs in the guest only, as root.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$top/tests/lib/tap.sh"
: "${top_builddir:?the configured build tree}"

grep -qw msharefs /proc/filesystems || skip_all "this kernel has no msharefs"
bindir=$(pg_config --bindir)
dir=$(mktemp -d) || exit 1
trap 'stop >/dev/null 2>&1; rm -rf "$dir"' EXIT

as_postgres() {
	(cd / && setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$dir" "$@")
}

pgext() {
	make -C "$top_builddir/pgext" -f "$top/pgext/Makefile" with_llvm=no "$@"
}

create() {
	chown postgres "$dir" && install -m 755 "$top_builddir/preload/.libs/libmshare_preload.so" "$dir" &&
		as_postgres "$bindir/initdb" -D "$dir/data" -A trust --no-sync &&
		cat >>"$dir/data/postgresql.conf" <<-END
			listen_addresses = ''
			unix_socket_directories = '$dir'
			shared_buffers = 256MB
			huge_pages = off
			fsync = off
		END
}

# start [VARIABLE=VALUE]
start() {
	as_postgres "$@" "$bindir/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 120 start ||
		{ cat "$dir/server.log"; return 1; }
}

stop() {
	as_postgres "$bindir/pg_ctl" -D "$dir/data" -m fast -w stop
}

regress() {
	PGHOST=$dir PGUSER=postgres pgext installcheck ||
		{ cat "$top_builddir/pgext/regression.diffs"; return 1; }
}

region() {
	psql -XAt -h "$dir" -U postgres -d postgres -c 'CREATE EXTENSION IF NOT EXISTS pg_mshare' \
		-c 'SELECT page_table_bytes > 0 AND windows > 5 FROM pg_mshare_region()' 2>&1 | tail -n 1
}

ok "install the extension" pgext install
ok "initdb" create
ok "start a stock server" start
ok "pg_regress, stock" regress
is "a stock server has no region" "$(region)" ""
ok "stop" stop
ok "start a server under the library" start LD_PRELOAD="$dir/libmshare_preload.so"
ok "pg_regress, under the library" regress
is "it has a region, with page tables and windows" "$(region)" "t"
ok "stop" stop
done_testing
