# SPDX-License-Identifier: PostgreSQL

# Old SQL with the new library; the way from 1.0 to 1.1; and preload libraries
# of other versions than the one we were built with.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PgMshare;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('versions');
start_node($node);

# 1.0 as it was
$node->safe_psql('postgres', q{CREATE EXTENSION pg_mshare VERSION '1.0'});
cmp_ok($node->safe_psql('postgres', 'SELECT pg_mshare_touch()'), '>', 80 << 8, '1.0: touch');
is($node->safe_psql('postgres', 'SELECT num_nulls(region_bytes, mapped_bytes, resident_bytes, page_table_bytes, windows, links)
	FROM pg_mshare_region()'), shared() ? 0 : 6, '1.0: region');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname LIKE 'pg\_mshare%'}), 0, '1.0: no views');

# The way to 1.1 leads to what a new one is
my $objects = q{SELECT string_agg(pg_describe_object(classid, objid, 0), E'\n' ORDER BY pg_describe_object(classid, objid, 0) COLLATE "C")
	FROM pg_depend WHERE refclassid = 'pg_extension'::regclass
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_mshare') AND deptype = 'e'};
$node->safe_psql('postgres', q{ALTER EXTENSION pg_mshare UPDATE TO '1.1'});
my $updated = $node->safe_psql('postgres', $objects);
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM pg_mshare_backends'), '>', 3, 'updated: views work');
$node->safe_psql('postgres', 'DROP EXTENSION pg_mshare; CREATE EXTENSION pg_mshare');
is($node->safe_psql('postgres', $objects), $updated, 'updated: the same as new');
is($node->safe_psql('postgres', q{SELECT extversion FROM pg_extension WHERE extname = 'pg_mshare'}), '1.1', 'new: 1.1');

# Libraries of other versions, each less or more than ours: a stand-in that
# answers as one of them would.
append_to_file("$ENV{PG_MSHARE_WORK}/standin.c", <<'END');
#include <errno.h>
#include <stdint.h>
#include <string.h>
unsigned int mshare_version(void) { return 1; }
#ifdef BACKEND
struct info { uint32_t size, flags; uint64_t view, length, page_size, shadow, window, region; char backend[16];
	uint32_t reason; int32_t error; char more[64]; };
int mshare_query(const void *addr, struct info *to)
{
	struct info found = { .page_size = 4096, .backend = BACKEND, .reason = REASON };
	uint32_t size = to->size;
	if (size < 80) { errno = EINVAL; return -1; }
	if (size > KNOWN) size = KNOWN;
	memset(found.more, 0xff, sizeof(found.more));
	found.size = size;
	memcpy(to, &found, size);
	return 0;
}
#endif
#ifdef STATS
int mshare_region_stats(const void *addr, void *to) { errno = STATS; return -1; }
#endif
END

# Start under a stand-in made with these definitions; the rows and the log
sub under
{
	my (@definitions) = @_;
	my $library = "$ENV{PG_MSHARE_WORK}/standin.so";

	system_or_bail('gcc', '-shared', '-fPIC', '-o', $library, @definitions, "$ENV{PG_MSHARE_WORK}/standin.c");
	restart_node($node, LD_PRELOAD => $library);
	my $main = $node->safe_psql('postgres',
		q{SELECT backend, page_size, page_tables, reason FROM pg_mshare_regions WHERE object = 'main memory'});
	foreach my $view (qw(pg_mshare_backends pg_mshare_savings pg_mshare_history pg_mshare_prefault_progress))
	{
		is(($node->psql('postgres', "TABLE $view"))[0], 0, "@definitions: $view works");
	}
	cmp_ok($node->safe_psql('postgres', 'SELECT pg_mshare_prefault()'), '>', 80 << 20, "@definitions: prefault works");
	is($node->safe_psql('postgres', 'SELECT num_nulls(windows, links) FROM pg_mshare_region()'), 2, "@definitions: no region");
	return $main;
}

is(under(), 'none|4096||libmshare_preload.so left it alone', 'a library that only has a version');
is(under('-DBACKEND="none"', '-DREASON=1', '-DKNOWN=80'),
	'none|4096||the library does not say why', 'one without texts');
is(under('-DBACKEND="none"', '-DREASON=4711', '-DKNOWN=144'),
	'none|4096||the library does not say why', 'one with reasons we do not know');
is(under('-DBACKEND="msharefs"', '-DREASON=0', '-DKNOWN=80'),
	'msharefs|4096||mshare_region_stats() failed: Function not implemented', 'one without statistics');
is(under('-DBACKEND="newfs"', '-DREASON=0', '-DKNOWN=144'),
	'newfs|4096||mshare_region_stats() failed: Function not implemented', 'one with a backend we do not know');
is(under('-DBACKEND="hugetlb"', '-DREASON=0', '-DKNOWN=144', '-DSTATS=EOPNOTSUPP'),
	'hugetlb|4096||the kernel shares page tables of huge pages by whole GBs, and this is less', 'huge pages, less than 1 GB');
is(under('-DBACKEND="thp"', '-DREASON=0', '-DKNOWN=144', '-DSTATS=EOPNOTSUPP'),
	'thp|4096||transparent huge pages make page tables small, and share none', 'transparent huge pages');
$node->stop;

done_testing();
