\if :converge
SELECT count((SELECT abalance FROM pgbench_accounts WHERE aid = i)) FROM generate_series(1, :rows, :step) AS i;
SET application_name = 'mshare-bench converged';
SELECT pg_advisory_xact_lock_shared(1);
SET application_name = 'mshare-bench running';
\set converge 0
\endif
\set aid random(1, :rows)
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
