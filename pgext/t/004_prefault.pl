# SPDX-License-Identifier: PostgreSQL

# Populating shared memory: at start, in background, by a function; what can
# be seen of it, and what stops it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PgMshare;
use POSIX qw(WNOHANG);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('prefault', 'pg_mshare.prefault' => 'startup', shared_buffers => '200MB',
	restart_after_crash => 'on', 'pg_mshare.sample_interval' => 0);
start_node($node);
$node->safe_psql('postgres', 'CREATE EXTENSION pg_mshare');

my $progress = 'SELECT state, done = total AND total > 200 * 1048576, finished_at >= started_at, reason
	FROM pg_mshare_prefault_progress';
my $missing = q{SELECT size - resident < 8192 FROM pg_mshare_regions WHERE object = 'main memory'};

# What a backend still has to fault in by itself
sub faults_of_touch
{
	my $session = $node->background_psql('postgres');
	my $sql = 'SELECT minor_faults FROM pg_mshare_backends WHERE pid = pg_backend_pid()';
	$session->query_safe($sql);
	my $before = $session->query_safe($sql);
	$session->query_safe('SELECT pg_mshare_touch()');
	my $after = $session->query_safe($sql);
	$session->quit;
	return $after - $before;
}

is($node->safe_psql('postgres', $progress), 'done|t|t|', 'startup: done when connections are accepted');
is($node->safe_psql('postgres', $missing), 't', 'startup: all is resident');
my $log = slurp_file($node->logfile);
like($log, qr/prefaulted \d+ MB of main shared memory in \d+ ms/, 'startup: logged');
like($log, qr/pg_mshare: .* prefaulted/, 'startup: the line says so');
like(slurp_file('/proc/' . (processes($node))[0] . '/comm'), qr/^postgres$/, 'startup: the postmaster has its name again');
my $faults = faults_of_touch();
cmp_ok($faults, '<=', shared() ? 100 : 5000, "startup: page faults of a backend that touches all: $faults");

# A crash makes memory anew. Only when the log says that the old server is gone
# is it the new one that answers.
kill 'KILL', $node->safe_psql('postgres', q{SELECT pid FROM pg_mshare_backends WHERE backend_type = 'walwriter'});
ok(wait_for(sub {
	return 0 if slurp_file($node->logfile) !~ /reinitializing/;
	my ($status) = $node->psql('postgres', 'SELECT 1');
	return $status == 0;
}), 'startup: back after a crash');
is($node->safe_psql('postgres', $progress), 'done|t|t|', 'startup: and prefaulted again');

# The postmaster's pid, started and left stopped (as a debugger does it) while it populates memory, 32 MB and more of it
# still to come.
sub start_and_halt
{
	foreach (1 .. 50)
	{
		my $pid = fork() // die $!;
		run_postmaster() if $pid == 0;
		my $percent = halt_at($pid, qr/^pg prefault (\d+)%/);
		return $pid if defined $percent && $percent < 60;
		# too late: once more
		kill $_, $pid foreach qw(CONT INT);
		waitpid $pid, 0;
	}
	die 'the postmaster was never seen to populate memory';
}

# In a child
sub run_postmaster
{
	$ENV{LD_PRELOAD} = library() if library();
	open STDOUT, '>>', $node->logfile;
	open STDERR, '>&', \*STDOUT;
	exec 'postgres', '-D', $node->data_dir or POSIX::_exit(127);
}

# Stop the postmaster when its name is such; what the pattern has in parentheses, or undef if it never is.
sub halt_at
{
	my ($pid, $pattern) = @_;
	my $comm = "/proc/$pid/comm";
	my $position = -s $node->logfile;
	while (slurp_file($comm) !~ $pattern)
	{
		die 'the postmaster has ended' if waitpid($pid, WNOHANG) == $pid;
		return undef if log_since($node, $position) =~ /ready to accept connections/;
		select undef, undef, undef, 0.0005;
	}
	kill 'STOP', $pid;
	wait_for(sub { slurp_file("/proc/$pid/stat") =~ /\) T/ });
	return slurp_file($comm) =~ $pattern ? $1 : undef;
}

# A server that is told to stop while it populates memory stops.
$node->stop;
foreach my $signal (qw(TERM INT QUIT))
{
	my $position = -s $node->logfile;
	my $pid = start_and_halt();
	my $tried = log_since($node, $position);
	kill $_, $pid foreach $signal, 'CONT';
	waitpid $pid, 0;
	my $said = log_since($node, $position + length $tried);
	like($said, qr/pg_mshare: .*, not prefaulted/, "startup: not prefaulted where SIG$signal says to stop");
	unlike($said, qr/prefaulted \d+ MB/, 'nor is it said');
	like($said, qr/received (smart|fast|immediate) shutdown request/, 'and the server stops');
}
start_node($node);

# In background
set_conf($node, 'pg_mshare.prefault', 'background');
restart_node($node);
ok(wait_for(sub { $node->safe_psql('postgres', $progress) eq 'done|t|t|' }), 'background: done some time');
is($node->safe_psql('postgres', $missing), 't', 'background: all is resident');
is($node->safe_psql('postgres', q{SELECT backend_type FROM pg_mshare_backends b JOIN pg_mshare_prefault_progress p USING (pid)}),
	'pg_mshare worker', 'background: by the worker');

# By a function, and not at all
set_conf($node, 'pg_mshare.prefault', 'off');
restart_node($node);
is($node->safe_psql('postgres', 'SELECT state, pid IS NULL FROM pg_mshare_prefault_progress'), 'none|t', 'off: none');
is($node->safe_psql('postgres', $missing), 'f', 'off: not all is resident');

# What there is to see while it runs, and that it can be canceled: a debugger's
# place is taken by a stop signal, and it goes on by a millisecond at a time.
# Should it be stopped with a lock that others wait for, it has to go on. It is
# canceled between chunks of 32 MB, so that another one has to follow.
sub stop_midway
{
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my $running;

	kill 'STOP', $pid;
	$session->query_until(qr/started/, "\\echo started\nSELECT pg_mshare_prefault();\n");
	wait_for(sub {
		kill 'CONT', $pid;
		select undef, undef, undef, 0.001;
		kill 'STOP', $pid;
		$node->psql('postgres', 'SELECT state, pid, done + (32 << 20) < total, done > 0 FROM pg_mshare_prefault_progress',
			stdout => \$running, timeout => 20, timed_out => \my $waited);
		return !$waited && $running =~ /^running.*t\|t$|^done/;
	});
	return ($session, $pid, $running);
}

# All of it takes less than 100 ms. If we were off the processor for that long,
# it is done before it can be stopped: begin again with memory made anew.
my ($session, $pid, $running) = stop_midway();
foreach (1 .. 5)
{
	last if $running !~ /^done/;
	kill 'CONT', $pid;
	eval { $session->quit };
	restart_node($node);
	($session, $pid, $running) = stop_midway();
}
is($running, "running|$pid|t|t", 'function: running');
like(slurp_file("/proc/$pid/cmdline"), qr/pg_mshare prefault \d+%/, 'function: seen in ps');
my (undef, undef, $stderr) = $node->psql('postgres', 'SELECT pg_mshare_prefault()');
like($stderr, qr/is being prefaulted by process $pid/, 'function: one at a time');
kill 'INT', $pid;
kill 'CONT', $pid;
ok(wait_for(sub { $node->safe_psql('postgres', 'SELECT state, reason FROM pg_mshare_prefault_progress') eq 'canceled|interrupted' }),
	'function: canceled');
kill 'CONT', $pid;
eval { $session->quit };
cmp_ok($node->safe_psql('postgres', 'SELECT pg_mshare_prefault()'), '>', 200 << 20, 'function: all of it');
is($node->safe_psql('postgres', $progress), 'done|t|t|', 'function: done');
is($node->safe_psql('postgres', $missing), 't', 'function: all is resident');
$node->stop;

done_testing();
