# SPDX-License-Identifier: PostgreSQL

# contrib/: the queries run as a member of pg_monitor and return the columns
# they announce, and the dashboard asks for metrics that those make.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use lib $FindBin::RealBin;
use PgMshare;
use PostgreSQL::Test::Utils;
use Test::More;

my $contrib = "$ENV{PG_MSHARE_WORK}/contrib";
my $node = new_node('contrib', 'pg_mshare.sample_interval' => '1s');
start_node($node);
$node->safe_psql('postgres', 'CREATE EXTENSION pg_mshare; CREATE ROLE exporter LOGIN IN ROLE pg_monitor');
ok(wait_for(sub { $node->safe_psql('postgres', 'SELECT count(*) > 0 FROM pg_mshare_history') eq 't' }), 'there is history');

# The column names of a query's result, as the exporter's user; and its first row
sub columns
{
	my ($sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql,
		extra_params => [ '-U', 'exporter', '-P', 'tuples_only=off', '-P', 'footer=off' ]);
	is($status, 0, 'runs: ' . substr($sql, 0, 60)) or diag $err;
	my ($names, $row) = split /\n/, $out;
	return ([ split /\|/, $names // '' ], $row);
}

# postgres_exporter.yaml is of one form, so no YAML parser is needed
my %metrics;
my ($namespace, @wanted);

sub check_query
{
	my ($name, $query, @announced) = @_;
	my ($found, $row) = columns($query);
	is_deeply($found, \@announced, "$name: the columns that are announced");
	ok(defined $row, "$name: a row");
	$metrics{"${name}_$_"} = 1 foreach @announced;
}

my $query;
foreach my $line (split(/\n/, slurp_file("$contrib/postgres_exporter.yaml")), 'end:')
{
	if ($line =~ /^(\w+):$/)
	{
		my $next = $1;
		check_query($namespace, $query, @wanted) if defined $namespace;
		($namespace, $query, @wanted) = ($next, undef);
	}
	elsif ($line =~ /^  query: "(.*)"$/) { $query = $1; }
	elsif ($line =~ /^    - (\w+):$/) { push @wanted, $1; }
}
cmp_ok(scalar keys %metrics, '>', 20, 'queries were found');

my $dashboard = decode_json(slurp_file("$contrib/grafana-dashboard.json"));
my $asked = 0;
foreach my $target (map { @{ $_->{targets} } } @{ $dashboard->{panels} })
{
	if (my $sql = $target->{rawSql})
	{
		$sql =~ s/\$__timeFilter\((\w+)\)/$1 > now() - interval '6 hours'/g;
		my ($found, $row) = columns($sql);
		ok(defined $row, 'dashboard: a row');
		$asked++;
		next;
	}
	foreach my $metric ($target->{expr} =~ /\b(pg_mshare_\w+)/g)
	{
		ok($metrics{$metric}, "dashboard: $metric is a metric of the exporter's queries");
		$asked++;
	}
}
cmp_ok($asked, '>', 12, 'dashboard: its panels were looked at');
$node->stop;

done_testing();
