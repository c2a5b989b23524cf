# SPDX-License-Identifier: PostgreSQL

# What the views say, compared with what the kernel says: /proc/PID/status of
# each process, page tables in /proc/meminfo, shared memory in /dev/shm.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use List::Util qw(all sum);
use PgMshare;
use PostgreSQL::Test::Utils;
use Test::More;

my $clients = 500;
my $node = new_node('views', max_connections => $clients + 20,
	'pg_mshare.sample_interval' => 0, min_parallel_table_scan_size => 0,
	parallel_setup_cost => 0, parallel_tuple_cost => 0, autovacuum => 'off',
	logging_collector => 'on');
start_node($node);
$node->safe_psql('postgres', 'CREATE EXTENSION pg_mshare');

# The kernel's figures of all processes; 0 of one that ends just now
sub kernel_page_tables
{
	return map { $_ => proc_kilobytes($_, 'VmPTE') // 0 } processes($node);
}

sub listed
{
	my (%figures) = @_;
	return join ' ', map { "$_:$figures{$_}" } sort keys %figures;
}

# The view's figures of all processes, and the kernel's, which are read before
# and after until no process came or went in between and none touched anything:
# then they have to be the same.
sub compare_processes
{
	my ($name) = @_;
	my (%view, %kernel);

	wait_for(sub {
		my $before = listed(kernel_page_tables());
		%view = map { $_->[0] => $_->[1] }
		  rows($node, 'SELECT pid, page_tables FROM pg_mshare_backends WHERE pid <> pg_backend_pid()');
		%kernel = kernel_page_tables();
		my $same_processes = join(' ', sort keys %view) eq join(' ', sort keys %kernel);
		return $same_processes && $before eq listed(%kernel) && all { $_ > 0 } values %kernel;
	});
	is_deeply([ sort keys %view ], [ sort keys %kernel ], "$name: a row for each process");
	is_deeply(\%view, \%kernel, "$name: page tables as in /proc");
	return sum(values %view);
}

compare_processes('idle');
my %types = map { $_->[0] => $_->[1] }
  rows($node, 'SELECT backend_type, count(*) FROM pg_mshare_backends GROUP BY 1');
is_deeply([ @types{qw(postmaster logger checkpointer)} ], [ 1, 1, 1 ], 'postmaster and logger have a row');

# Faults and memory of one backend that does something
my $session = $node->background_psql('postgres');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
my $figures = "SELECT page_tables, minor_faults, rss_shared, rss_private FROM pg_mshare_backends WHERE pid = $pid";
my $before = (rows($node, $figures))[0];
$session->query_safe('SELECT pg_mshare_touch()');
my $after = (rows($node, $figures))[0];
my $tables = $after->[0] - $before->[0];
if (shared())
{
	cmp_ok($tables, '<=', 16 * 1024, "touched all: no page tables of its own: $tables more");
}
else
{
	cmp_ok($tables, '>=', 80 * 2048 * 0.9, "touched all: page tables of its own: $tables more");
	cmp_ok($after->[2], '>=', 80 << 20, 'touched all: resident, shared');
	cmp_ok($after->[1] - $before->[1], '>=', 1000, 'touched all: page faults');
}
cmp_ok(abs($after->[1] - minor_faults($pid)), '<=', 5, 'minor faults as in /proc');
is($after->[2], (proc_kilobytes($pid, 'RssShmem') + proc_kilobytes($pid, 'RssFile')), 'shared memory as in /proc');
is($after->[3], proc_kilobytes($pid, 'RssAnon'), 'private memory as in /proc');

sub minor_faults
{
	my $stat = slurp_file("/proc/$_[0]/stat");
	$stat =~ s/.*\) //s;
	return (split / /, $stat)[7];
}

# Many backends, all of which touch all of the memory
my @sessions = map { $node->background_psql('postgres') } 1 .. 3;
$_->query_safe('SELECT pg_mshare_touch()') foreach @sessions;
my $savings_sql = 'SELECT processes, page_tables_private, page_tables_shared, unshared_worst, saved, ratio,
	max_connections FROM pg_mshare_savings';
my $holder = start_holder($clients);
my $private = compare_processes("$clients clients");
my ($processes, $tables_private, $tables_shared, $worst, $saved, $ratio) = @{ (rows($node, $savings_sql))[0] };
cmp_ok($processes, '>=', $clients, "savings: $processes processes");
cmp_ok(abs($tables_private - $private), '<=', $private / 100, 'savings: page tables as in the other view and in /proc');
my $each = ($worst - $tables_private) / $processes;
note "private $tables_private, shared $tables_shared, worst $worst, saved $saved, ratio $ratio";
if (shared())
{
	cmp_ok($tables_shared, '>=', 80 * 2048, 'savings: shared page tables for all the memory');
	cmp_ok($saved, '>=', 0.99 * $tables_shared * ($clients - 1), 'savings: each client saves them');
	cmp_ok($ratio, '>', 1.5, 'savings: ratio');
	compare_region();
}
else
{
	is($saved, 0, 'savings: nothing without sharing');
	is($ratio, 1, 'savings: nor a ratio');
}
my $milliseconds = min_time('SELECT count(page_tables) FROM pg_mshare_backends', 3);
note "pg_mshare_backends with $processes processes: $milliseconds ms";
cmp_ok($milliseconds, '<', 250, 'pg_mshare_backends takes less than 250 ms') if !shared();
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_mshare_backends WHERE demoted OR reason IS NOT NULL'),
	0, 'none is demoted, all can be read');
stop_holder($holder);
$_->quit foreach @sessions, $session;

# The region as msharefs itself lists it: the largest on the mount. Columns:
# bytes mapped resident page_tables windows links flags name
sub compare_region
{
	my ($header, @regions) = map { [ split ' ' ] } split /\n/, slurp_file('/sys/fs/mshare/mshare_regions');
	my ($region) = sort { $b->[1] <=> $a->[1] } @regions;
	my $view = (rows($node, q{SELECT resident, page_tables, processes FROM pg_mshare_regions WHERE object = 'main memory'}))[0];

	foreach my $i (0 .. 2)
	{
		my ($seen, $is) = ($view->[$i], $region->[ $i + 2 ]);
		cmp_ok(abs($seen - $is), '<=', $is / 100, "region: $header->[ $i + 2 ] as msharefs has it: $seen, $is");
	}
	cmp_ok(abs($tables_shared - $region->[3]), '<=', $region->[3] / 100, 'savings: shared page tables as msharefs has them');
}

sub min_time
{
	my ($sql, $times) = @_;
	my @found = $node->safe_psql('postgres', join "\n", '\timing on', ("$sql;") x $times) =~ /Time: ([\d.]+) ms/g;
	return (sort { $a <=> $b } @found)[0];
}

# Clients that connect, touch nothing and wait.
sub start_holder
{
	my ($count) = @_;
	my $script = "$ENV{PG_MSHARE_WORK}/sleep.sql";
	append_to_file($script, "SELECT pg_sleep(600);\n");
	my $handle = IPC::Run::start([ 'pgbench', '-n', '-f', $script, '-c', $count, '-T', 900,
		$node->connstr('postgres') ], '<', \undef, '>', '/dev/null', '2>', "$ENV{PG_MSHARE_WORK}/pgbench.log");
	wait_for(sub { $node->safe_psql('postgres',
		q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'}) == $count })
	  or die slurp_file("$ENV{PG_MSHARE_WORK}/pgbench.log");
	return $handle;
}

sub stop_holder
{
	my ($handle) = @_;
	$handle->kill_kill;
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
	wait_for(sub { $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity
		WHERE application_name = 'pgbench'}) == 0 });
}

# Backends that have ended are not counted, how many there ever were. The last of them may end between one count and the
# other.
ok(wait_for(sub { $node->safe_psql('postgres', q{SELECT r.processes <= (SELECT count(*) FROM pg_mshare_backends)
	FROM pg_mshare_regions r WHERE object = 'main memory'}) eq 't' }),
	'after 500 clients: processes that have main memory are some that there are');

# Parallel query: workers and their dynamic shared memory have rows. The query
# runs for minutes, so that they are there when they are looked for, and is
# cancelled.
$node->safe_psql('postgres', 'CREATE TABLE t AS SELECT generate_series(1, 100000) AS i');
$node->safe_psql('postgres', 'ANALYZE t; CREATE FUNCTION slow(i int) RETURNS int PARALLEL SAFE COST 10000 LANGUAGE plpgsql
	AS $$ BEGIN IF i % 10 = 0 THEN PERFORM pg_sleep(0.2); END IF; RETURN i; END $$');
my $query = $node->background_psql('postgres', on_error_stop => 0);
my $leader = $query->query_safe('SELECT pg_backend_pid()');
$query->query_until(qr/started/, "\\echo started\nSET max_parallel_workers_per_gather = 2; SELECT count(*) FROM t WHERE slow(i) > 0;\n");
my ($workers, $dsm);
ok(wait_for(sub {
	$workers = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_mshare_backends WHERE backend_type = 'parallel worker' AND page_tables > 0});
	($dsm) = map { $_->[0] } rows($node, q{SELECT object FROM pg_mshare_regions WHERE object ~ '^DSM \d' AND processes >= 2 AND size > 0 AND resident > 0});
	return $workers && $dsm;
}), 'parallel workers and their DSM segment have rows');
my ($handle) = ($dsm // '') =~ /(\d+)/;
ok(defined $handle && -e "/dev/shm/PostgreSQL.$handle", 'it is the one in /dev/shm');
is($node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = $leader AND state = 'active'"),
	't', 'the query was running all the time');
$query->quit;
$node->stop('immediate');

# Who redirects dynamic shared memory: nobody what is small; from MSHARE_MIN_SIZE on each process for itself, which
# nobody else knows.
my $control = q{SELECT coalesce(backend, 'null'), reason FROM pg_mshare_regions WHERE object = 'DSM control'};
start_node($node);
is($node->safe_psql('postgres', $control),
	library() ? 'none|smaller than what is redirected, 64 MB and more' : 'none|libmshare_preload.so is not loaded',
	'dynamic shared memory that is small');
restart_node($node, MSHARE_MIN_SIZE => '1kB');
is($node->safe_psql('postgres', $control),
	library() ? 'null|is up to each process that maps it, and what MSHARE_* tells the library' : 'none|libmshare_preload.so is not loaded',
	'and that is not');
$node->stop;

# /proc that cannot be read: no error, but rows and reasons. A mount namespace of our own lacks it.
my @hidden = qw(unshare --user --mount --map-current-user --keep-caps);
my $namespaces = IPC::Run::run([ @hidden, 'mount', '-t', 'tmpfs', 'none', '/proc' ], '>', '/dev/null', '2>', '/dev/null');
BAIL_OUT('user namespaces are needed to hide /proc') if !$namespaces;
append_to_file("$ENV{PG_MSHARE_WORK}/bin/pg_ctl_hidden", "#!/bin/sh\nmount -t tmpfs none /proc && exec pg_ctl \"\$@\"\n");
chmod 0755, "$ENV{PG_MSHARE_WORK}/bin/pg_ctl_hidden";
{
	local $ENV{PGHOST} = $node->host;
	local $ENV{LD_PRELOAD} = library() if library();
	system_or_bail(@hidden, "$ENV{PG_MSHARE_WORK}/bin/pg_ctl_hidden", '-w', '-D', $node->data_dir,
		'-l', $node->logfile, 'start');
}
my ($all, $null, $with_reason) = @{ (rows($node, 'SELECT count(*), count(*) - count(page_tables), count(reason) FROM pg_mshare_backends'))[0] };
cmp_ok($all, '>=', 5, '/proc hidden: processes have rows');
is($null, $all, '/proc hidden: of nulls');
is($with_reason, $all, '/proc hidden: and reasons');
like($node->safe_psql('postgres', 'SELECT reason FROM pg_mshare_backends LIMIT 1'),
	qr{could not read "/proc/\d+/stat": No such file}, '/proc hidden: the reason names the file');
is($node->safe_psql('postgres', 'SELECT processes, page_tables_private IS NULL, ratio IS NULL FROM pg_mshare_savings'),
	'0|t|t', '/proc hidden: savings are null');
like($node->safe_psql('postgres', 'SELECT reason FROM pg_mshare_savings'), qr/\d+ processes could not be read in \/proc/, 'with a reason');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM pg_mshare_regions'), '>=', 3, '/proc hidden: regions');
system_or_bail('pg_ctl', '-w', '-D', $node->data_dir, '-m', 'immediate', 'stop');

done_testing();
