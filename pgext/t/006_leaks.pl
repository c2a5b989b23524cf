# SPDX-License-Identifier: PostgreSQL

# No function may leave memory behind in the backend, however often it is
# called: PG_MSHARE_CALLS times each (100000 for the long version).

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use List::Util qw(min);
use PgMshare;
use PostgreSQL::Test::Utils;
use Test::More;

my $calls = $ENV{PG_MSHARE_CALLS} || 2000;
my $node = new_node('leaks', shared_buffers => '1MB', max_connections => 5, 'pg_mshare.history_size' => 10,
	autovacuum => 'off', 'pg_mshare.sample_interval' => '1s');
start_node($node);
plan(skip_all => 'pg_backend_memory_contexts came with PostgreSQL 14')
  if $node->safe_psql('postgres', 'SHOW server_version_num') < 140000;
$node->safe_psql('postgres', <<'END');
CREATE EXTENSION pg_mshare;
-- Bytes in all contexts that live as long as the backend; the statement's own come and go.
CREATE FUNCTION used() RETURNS bigint LANGUAGE sql AS
  $$ SELECT sum(used_bytes)::bigint FROM pg_backend_memory_contexts $$;
CREATE FUNCTION calls(query text, n int) RETURNS void LANGUAGE plpgsql AS
  $$ BEGIN FOR i IN 1 .. n LOOP EXECUTE query; END LOOP; END $$;
END

foreach my $function (qw(pg_mshare_touch pg_mshare_region pg_mshare_regions pg_mshare_processes
	pg_mshare_savings pg_mshare_history pg_mshare_prefault pg_mshare_prefault_progress pg_mshare_advise))
{
	my $session = $node->background_psql('postgres', timeout => 3600);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my $call = sub { $session->query_safe("SELECT calls('SELECT count(*) FROM $function()', $_[0])") };

	$call->(100);
	$session->query_safe('SELECT used()');
	my ($before, $rss, $files) = ($session->query_safe('SELECT used()'), proc_kilobytes($pid, 'RssAnon'), open_files($pid));
	$call->($calls);
	my $contexts = $session->query_safe('SELECT used()') - $before;
	my $private = proc_kilobytes($pid, 'RssAnon') - $rss;
	cmp_ok($contexts, '<', 4096, "$function, $calls calls: $contexts bytes more in memory contexts");
	cmp_ok($private, '<', 256 * 1024, "$function, $calls calls: $private bytes more of private memory");
	is(open_files($pid), $files, "$function: no file left open");
	$session->quit;
}

sub open_files
{
	my @files = glob "/proc/$_[0]/fd/*";
	return scalar @files;
}

# The worker samples for ever. It may have a file of /proc open when it is
# looked at, but only for a moment; one that it leaves open is there every time.
sub files_kept_open
{
	my ($pid) = @_;
	return min(map { select undef, undef, undef, 0.01; open_files($pid) } 1 .. 50);
}

my $worker = $node->safe_psql('postgres', q{SELECT pid FROM pg_mshare_backends WHERE backend_type = 'pg_mshare worker'});
my $before = proc_kilobytes($worker, 'RssAnon');
my $files = files_kept_open($worker);
select undef, undef, undef, 3;
cmp_ok(proc_kilobytes($worker, 'RssAnon') - $before, '<=', 64 * 1024, 'the worker grows not');
is(files_kept_open($worker), $files, 'nor opens files');
$node->stop;

done_testing();
