# SPDX-License-Identifier: PostgreSQL

# The ring of samples and its worker: filling, limits, settings, ends of the
# worker and of a backend.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PgMshare;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('history', 'pg_mshare.sample_interval' => '1s',
	'pg_mshare.history_size' => 4, restart_after_crash => 'on', autovacuum => 'off');
start_node($node);
$node->safe_psql('postgres', 'CREATE EXTENSION pg_mshare');

sub value
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sub sleeps_until
{
	my ($sql, $name) = @_;
	ok(wait_for(sub { my (undef, $out) = $node->psql('postgres', $sql); return ($out // '') eq 't' }), $name);
}

sub worker
{
	return value(q{SELECT pid FROM pg_mshare_backends WHERE backend_type = 'pg_mshare worker'});
}

sleeps_until('SELECT count(*) >= 1 FROM pg_mshare_history', 'a sample is taken');
is(value('SELECT bool_and(sampled_at > pg_postmaster_start_time()) FROM pg_mshare_history'), 't', 'none before the start');
sleeps_until('SELECT count(*) = 4 FROM pg_mshare_history', 'samples are taken');
select undef, undef, undef, 2.5;
is(value('SELECT count(*) FROM pg_mshare_history'), 4, 'no more are kept than history_size');
# A sample that is late makes one gap too long and the next too short, and both
# leave the ring after a few more; with another interval all gaps stay wrong.
my $gaps = '(SELECT sampled_at - lag(sampled_at) OVER () AS gap FROM pg_mshare_history) AS gaps';
is(value("SELECT bool_and(gap > '0s') FROM $gaps"), 't', 'in order');
sleeps_until("SELECT count(gap) = 3 AND bool_and(gap BETWEEN '0.9s' AND '3s') FROM $gaps", 'one interval apart');
sleeps_until(q{SELECT now() - max(sampled_at) < '3s' FROM pg_mshare_history}, 'the last is recent');
is(value('SELECT bool_and(processes >= 4 AND backends BETWEEN 0 AND processes AND machine_available > 0
	AND machine_page_tables >= page_tables_private) FROM pg_mshare_history'), 't', 'figures are possible');
is(value('SELECT bool_and(page_tables_shared > 0) FROM pg_mshare_history'),
	shared() ? 't' : 'f', 'shared page tables where there are any');

# The figures are those of /proc
my ($session) = $node->background_psql('postgres');
$session->query_safe('SELECT 1');
sleeps_until(q{SELECT backends >= 1 AND minor_faults_per_second IS NOT NULL FROM pg_mshare_history
	ORDER BY sampled_at DESC LIMIT 1}, 'clients are counted');
my ($seen, $is);
wait_for(sub {
	$seen = value('SELECT page_tables_private FROM pg_mshare_history ORDER BY sampled_at DESC LIMIT 1');
	$is = 0;
	$is += proc_kilobytes($_, 'VmPTE') // 0 foreach processes($node);
	return abs($seen - $is) <= $is / 100;
});
cmp_ok(abs($seen - $is), '<=', $is / 100, "page tables as in /proc: $seen, $is");

# A worker that stands still blocks nobody
my $worker = worker();
kill 'STOP', $worker;
is(value('SELECT count(*) FROM pg_mshare_history'), 4, 'a stopped worker blocks nobody');
kill 'CONT', $worker;

# 0 switches it off, without a restart, once the signal has arrived: when the
# last sample is old. None may follow from then on.
set_conf($node, 'pg_mshare.sample_interval', '0');
$node->reload;
sleeps_until(q{SELECT now() - max(sampled_at) > '2.5s' FROM pg_mshare_history}, 'interval 0: samples end');
my $last = value('SELECT max(sampled_at) FROM pg_mshare_history');
select undef, undef, undef, 2.5;
is(value('SELECT max(sampled_at) FROM pg_mshare_history'), $last, 'interval 0: no more samples');

# The ring survives the worker
kill 'TERM', $worker;
ok(wait_for(sub { my $new = worker(); return $new && $new != $worker }), 'a terminated worker is started again');
is(value('SELECT count(*), max(sampled_at) FROM pg_mshare_history'), "4|$last", 'and the samples are still there');

# And on again
set_conf($node, 'pg_mshare.sample_interval', '1s');
$node->reload;
sleeps_until("SELECT max(sampled_at) > '$last' FROM pg_mshare_history", 'an interval again: it takes new ones');

# A backend crashes: shared memory is made anew, and with it the ring
my $crash = value('SELECT max(sampled_at) FROM pg_mshare_history');
my $victim = $session->query_safe('SELECT pg_backend_pid()');
kill 'KILL', $victim;
sleeps_until("SELECT min(sampled_at) > '$crash' FROM pg_mshare_history HAVING count(*) > 0",
	'a backend crashed: the samples start anew');
like(slurp_file($node->logfile), qr/all server processes terminated; reinitializing/, 'as the server did');
my @lines = slurp_file($node->logfile) =~ /LOG:  pg_mshare: \d+ MB of main shared memory/g;
is(scalar @lines, 2, 'and said what became of its memory');
eval { $session->quit };
$node->stop;

done_testing();
