# SPDX-License-Identifier: PostgreSQL

=pod

=head1 NAME

PgMshare - what the tests of pg_mshare share

=head1 DESCRIPTION

The tests run with the extension installed as F<pgext/check> does it, which
leaves the settings to find it in F<installed.conf> below PG_MSHARE_WORK. With
PG_MSHARE_PRELOAD servers are started under that library; PG_MSHARE_SHARED says
that the kernel then shares page tables.

=cut

package PgMshare;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(new_node set_conf start_node restart_node shared library processes
  proc_kilobytes log_since rows wait_for);

# Does the kernel share the page tables of the servers of this test?
sub shared
{
	return $ENV{PG_MSHARE_SHARED} ? 1 : 0;
}

# The library that servers run under, or undef.
sub library
{
	return $ENV{PG_MSHARE_PRELOAD};
}

# A node that is not started yet, with settings in place.
sub new_node
{
	my ($name, %settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	%settings = (
		shared_preload_libraries => 'pg_mshare',
		shared_buffers           => '80MB',
		huge_pages               => 'off',
		log_statement            => 'none',
		%settings);
	$node->init;
	$node->append_conf('postgresql.conf', slurp_file("$ENV{PG_MSHARE_WORK}/installed.conf"));
	$node->append_conf('postgresql.conf',
		join('', map { "$_ = '$settings{$_}'\n" } sort keys %settings));
	return $node;
}

# Change a setting for the next start or reload: of two lines the last one counts.
sub set_conf
{
	my ($node, $name, $value) = @_;
	return $node->append_conf('postgresql.conf', "$name = '$value'");
}

# Start a node under the library, if there is one; more environment may be
# given, and so may fail_ok.
sub start_node
{
	my ($node, %options) = @_;
	my $fail_ok = delete $options{fail_ok};

	local %ENV = %ENV;
	$ENV{LD_PRELOAD} = library() if library();
	foreach my $name (keys %options)
	{
		$ENV{$name} = $options{$name};
		delete $ENV{$name} if !defined $options{$name};
	}
	return $node->start(fail_ok => $fail_ok);
}

sub restart_node
{
	my ($node, %options) = @_;
	$node->stop('fast');
	return start_node($node, %options);
}

# The pids of a server as the kernel has them: the postmaster and its children.
sub processes
{
	my ($node) = @_;
	my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	my @children = split ' ', slurp_file("/proc/$postmaster/task/$postmaster/children");
	return ($postmaster, @children);
}

# A number of /proc/PID/status in bytes, undef if the process has ended.
sub proc_kilobytes
{
	my ($pid, $name) = @_;
	open my $status, '<', "/proc/$pid/status" or return undef;
	while (my $line = <$status>)
	{
		return $1 * 1024 if $line =~ /^$name:\s+(\d+) kB/;
	}
	return undef;
}

# What the server logged from a position on.
sub log_since
{
	my ($node, $position) = @_;
	return substr(slurp_file($node->logfile), $position // 0);
}

# The rows of a query, each a reference to its columns.
sub rows
{
	my ($node, $sql) = @_;
	return map { [ split /\|/, $_, -1 ] } split /\n/, $node->safe_psql('postgres', $sql);
}

# Wait until code returns true, for some time; returns what it returned.
sub wait_for
{
	my ($code) = @_;
	my $result;
	foreach (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		$result = $code->() and return $result;
		select undef, undef, undef, 0.1;
	}
	return $result;
}

1;
