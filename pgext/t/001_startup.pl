# SPDX-License-Identifier: PostgreSQL

# What the server says of its shared memory when it starts, and whether it
# starts at all.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use PgMshare;
use PostgreSQL::Test::Utils;
use Test::More;

my $line = qr/LOG:  pg_mshare: \d+ MB of main shared memory at 0x[0-9a-f]+, page tables/;
my $node = new_node('startup', 'pg_mshare.require' => 'on');

# The whole log of one start, which may fail.
sub start_log
{
	my ($setting, %options) = @_;
	my $position = -s $node->logfile || 0;

	set_conf($node, 'pg_mshare.require', $setting);
	my $started = start_node($node, fail_ok => 1, %options);
	$node->stop if $started;
	return ($started, log_since($node, $position));
}

# Without the library, whatever the kernel
my ($started, $log) = start_log('on', LD_PRELOAD => undef);
is($started, 0, 'on: refuses to start without the library');
like($log, qr/FATAL:  page tables of the main shared memory are not shared/, 'with a FATAL');
like($log, qr/DETAIL:  The reason is: libmshare_preload.so is not loaded\./, 'that says why');
like($log, qr/HINT:  Start the server with LD_PRELOAD.*pg_mshare\.require/, 'and what to do');

($started, $log) = start_log('warn', LD_PRELOAD => undef);
is($started, 1, 'warn: starts without the library');
like($log, qr/WARNING:  page tables of the main shared memory are not shared/, 'with a warning');

($started, $log) = start_log('off', LD_PRELOAD => undef);
is($started, 1, 'off: starts without the library');
unlike($log, qr/WARNING/, 'without a warning');
like($log, qr/$line not shared \(none\), 4 kB pages, not prefaulted: libmshare_preload.so is not loaded\. Start /,
	'but with the line that says what to do');
my @lines = $log =~ /pg_mshare: /g;
is(scalar @lines, 1, 'which is one line');

if (library())
{
	($started, $log) = start_log('on', MSHARE => 'off');
	is($started, 0, 'on: refuses to start under a library that is switched off');
	like($log, qr/The reason is: libmshare_preload.so left it alone\./, 'and says why');
	like($log, qr/Look at MSHARE, MSHARE_MIN_SIZE and MSHARE_PROGRAMS/, 'and what to do');
}

if (library() && !shared())
{
	($started, $log) = start_log('on', MSHARE_BACKEND => 'msharefs');
	is($started, 0, 'on: refuses to start under the library without msharefs');
	like($log, qr/The reason is: there is no msharefs/, 'and says why');
	like($log, qr/HINT:  Boot a kernel with msharefs/, 'and what to do');
}

if (shared())
{
	($started, $log) = start_log('on');
	is($started, 1, 'on: starts with msharefs');
	unlike($log, qr/WARNING/, 'without a warning');
	like($log, qr/$line shared \(msharefs\), 4 kB pages, not prefaulted$/m, 'and with its line');

	($started, $log) = start_log('on', MSHARE_MOUNT => '/proc');
	is($started, 0, 'on: refuses to start where msharefs is not mounted');
	like($log, qr/HINT:  Boot a kernel with msharefs and mount it/, 'and says what to do');

	# A crash is no time to refuse: its mount has gone when memory is made anew.
	my $mount = $node->basedir . '/mount';
	symlink('/sys/fs/mshare', $mount) or die "could not make $mount: $!";
	set_conf($node, 'restart_after_crash', 'on');
	ok(start_node($node, MSHARE_MOUNT => $mount), 'on: starts by a link to the mount');
	unlink $mount;
	symlink('/proc', $mount) or die "could not make $mount: $!";
	my $position = -s $node->logfile;
	kill 'KILL', $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'});
	ok(wait_for(sub { log_since($node, $position) =~ /database system is ready/ }), 'on: comes back from a crash without it');
	like(log_since($node, $position), qr/WARNING:  page tables of the main shared memory are not shared/, 'with a warning');
	is($node->safe_psql('postgres', 'SELECT 1'), 1, 'and serves');
	$node->stop;
}

# A server in distress must be reachable in single-user mode, and the functions
# work there.
set_conf($node, 'pg_mshare.require', 'on');
my $commands = <<'END';
CREATE EXTENSION pg_mshare;
SELECT pg_mshare_touch() > 0 AS touched;
SELECT count(*) AS n FROM pg_mshare_backends;
SELECT count(*) AS r FROM pg_mshare_regions;
SELECT processes FROM pg_mshare_savings;
END
my ($out, $err);
IPC::Run::run([ 'postgres', '--single', '-D', $node->data_dir, 'postgres' ],
	'<', \$commands, '>', \$out, '2>', \$err);
like($out, qr/touched = "t"/,   'single-user mode: starts despite the policy, and touches');
like($out, qr/n = "1"/,         'single-user mode: one process');
like($out, qr/r = "[1-9]"/,      'single-user mode: regions');
like($out, qr/processes = "1"/, 'single-user mode: savings');

# Settings out of range are PostgreSQL's matter
set_conf($node, 'pg_mshare.require', 'off');
start_node($node);
foreach my $bad (
	[ 'pg_mshare.sample_interval', '-1',      qr/-1 s? ?is outside the valid range/ ],
	[ 'pg_mshare.history_size',    '0',       qr/0 is outside the valid range/ ],
	[ 'pg_mshare.require',         'perhaps', qr/invalid value for parameter "pg_mshare.require": "perhaps"/ ],
	[ 'pg_mshare.prefault',        'never',   qr/Available values: off, startup, background/ ])
{
	my ($name, $value, $message) = @$bad;
	my (undef, undef, $stderr) = $node->psql('postgres', "ALTER SYSTEM SET $name = '$value'");
	like($stderr, $message, "$name = $value is refused");
}
$node->stop;

# Not preloaded: what needs no memory of its own works, the rest says why not.
set_conf($node, 'shared_preload_libraries', '');
start_node($node);
foreach my $view (qw(pg_mshare_history pg_mshare_prefault_progress))
{
	my ($status, undef, $stderr) = $node->psql('postgres', "TABLE $view");
	isnt($status, 0, "not preloaded: $view fails");
	like($stderr, qr/pg_mshare must be loaded via "shared_preload_libraries"/, 'and says why');
	like($stderr, qr/HINT:  Add pg_mshare to/, 'and what to do');
}
foreach my $view (qw(pg_mshare_regions pg_mshare_backends pg_mshare_savings))
{
	cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM $view"), '>=', 1,
		"not preloaded: $view works");
}
cmp_ok($node->safe_psql('postgres', 'SELECT pg_mshare_prefault()'), '>', 80 << 20,
	'not preloaded: prefault works');
$node->stop;

done_testing();
