CREATE EXTENSION pg_mshare;

-- What there is; with msharefs, main memory is shared.
SELECT object, backend, page_size, page_tables IS NULL AS no_shared_tables
  FROM pg_mshare_regions
 WHERE object !~ '^DSM [0-9]'
 ORDER BY object COLLATE "C";

-- Main memory is larger than shared buffers, and some of it is in use.
SELECT size > pg_size_bytes(current_setting('shared_buffers')) AS holds_buffers,
       resident BETWEEN 1 AND size + 4096 AS resident_fits,
       processes > 4 AS has_processes,
       address ~ '^0x[0-9a-f]+$' AS has_address,
       (reason IS NULL) = (page_tables IS NOT NULL) AS reasoned
  FROM pg_mshare_regions
 WHERE object = 'main memory';

-- This very backend, as pg_stat_activity has it.
SELECT b.backend_type, b.usename = current_user AS me, b.datname = current_database() AS here,
       b.page_tables > 0 AS has_page_tables, b.minor_faults > 0 AS has_faults,
       b.rss = b.rss_shared + b.rss_private AS adds_up, b.demoted IS NOT TRUE AS not_demoted,
       b.reason
  FROM pg_mshare_backends b JOIN pg_stat_activity a USING (pid)
 WHERE b.pid = pg_backend_pid();

-- Everybody in pg_stat_activity is there, under the same names, and so is the postmaster.
SELECT count(*) AS missing
  FROM pg_stat_activity a
  LEFT JOIN pg_mshare_backends b
    ON b.pid = a.pid AND b.backend_type = a.backend_type
   AND b.datname IS NOT DISTINCT FROM a.datname
   AND b.usename IS NOT DISTINCT FROM a.usename
 WHERE b.pid IS NULL AND a.backend_type !~ 'parallel|autovacuum worker';
SELECT backend_type, count(*)
  FROM pg_mshare_backends
 WHERE backend_type IN ('postmaster', 'pg_mshare worker', 'checkpointer')
 GROUP BY backend_type ORDER BY backend_type COLLATE "C";

-- Sums.
SELECT processes > 4 AS has_processes,
       page_tables = page_tables_private + page_tables_shared AS adds_up,
       unshared_worst >= page_tables AS worst_is_more,
       saved = CASE WHEN unshared_measured IS NULL THEN unshared_worst - page_tables ELSE 0 END AS saved,
       ratio >= 1 AS ratio,
       max_connections = current_setting('max_connections')::int AS max_connections,
       unshared_worst_at_max > unshared_worst AS more_at_max,
       (unshared_measured IS NULL) = (page_tables_shared > 0) AS measured_or_shared
  FROM pg_mshare_savings;

-- Advice. How many huge pages depends on the version of the server.
SELECT configuration, regexp_replace(settings, '\d{4}', 'N') AS settings FROM pg_mshare_advise(1000, pg_size_bytes('8GB'));
SELECT (regexp_match(settings, 'nr_hugepages = (\d+)'))[1]::bigint = ceil(shared_memory / 2^21) AS they_hold_it
  FROM pg_mshare_advise(1000, pg_size_bytes('8GB')) WHERE configuration = 'stock, huge pages';
SELECT page_tables / 2^30 BETWEEN 15.5 AND 16.8 AS stock_is_16_gb
  FROM pg_mshare_advise(1000, pg_size_bytes('8GB')) WHERE configuration LIKE 'stock, 4%';
SELECT page_tables / 2^20 BETWEEN 130 AND 150 AS mshare_is_its_own
  FROM pg_mshare_advise(1000, pg_size_bytes('8GB')) WHERE configuration = 'mshare';
SELECT a.shared_memory = r.size AS this_server
  FROM pg_mshare_advise() a, pg_mshare_regions r
 WHERE configuration = 'mshare' AND object = 'main memory';
SELECT * FROM pg_mshare_advise(0);
SELECT * FROM pg_mshare_advise(10, 5);
SELECT * FROM pg_mshare_advise(10, 9223372036854775807);

-- Prefault.
SELECT pg_mshare_prefault() = size AS all_of_it
  FROM pg_mshare_regions WHERE object = 'main memory';
SELECT abs(resident - size) <= 4096 AS all_resident
  FROM pg_mshare_regions WHERE object = 'main memory';
SELECT state, done = total AS complete, pid = pg_backend_pid() AS me, reason
  FROM pg_mshare_prefault_progress;

-- History is there, whatever it holds yet.
SELECT count(*) >= 0 AS readable FROM pg_mshare_history;

-- All of it is for monitors only.
CREATE ROLE regress_mshare_nobody;
CREATE ROLE regress_mshare_monitor IN ROLE pg_monitor;
SELECT c.relname,
       has_table_privilege('regress_mshare_nobody', c.oid, 'SELECT') AS nobody,
       has_table_privilege('regress_mshare_monitor', c.oid, 'SELECT') AS monitor,
       obj_description(c.oid, 'pg_class') IS NOT NULL AS described,
       (SELECT count(*) FROM pg_attribute
         WHERE attrelid = c.oid AND col_description(c.oid, attnum) IS NULL AND attnum > 0) AS undescribed
  FROM pg_class c
 WHERE c.relname LIKE 'pg\_mshare%' AND c.relkind = 'v'
 ORDER BY c.relname COLLATE "C";
SELECT p.proname,
       has_function_privilege('regress_mshare_nobody', p.oid, 'EXECUTE') AS nobody,
       has_function_privilege('regress_mshare_monitor', p.oid, 'EXECUTE') AS monitor,
       obj_description(p.oid, 'pg_proc') IS NOT NULL AS described
  FROM pg_proc p
 WHERE p.proname LIKE 'pg\_mshare%'
 ORDER BY p.proname COLLATE "C";

SET ROLE regress_mshare_nobody;
SELECT * FROM pg_mshare_backends;
SELECT pg_mshare_prefault();
SET ROLE regress_mshare_monitor;
SELECT count(*) > 4 AS sees_all, count(usename) > 0 AS sees_names FROM pg_mshare_backends;
SELECT count(*) > 0 AS sees_history FROM pg_mshare_history;
SELECT count(*) > 0 AS sees_regions FROM pg_mshare_regions;
SELECT count(*) AS savings FROM pg_mshare_savings;
SELECT count(*) AS progress FROM pg_mshare_prefault_progress;
RESET ROLE;
DROP ROLE regress_mshare_monitor, regress_mshare_nobody;

-- In a schema of one's choice, and moved.
DROP EXTENSION pg_mshare;
CREATE SCHEMA regress_mshare;
CREATE EXTENSION pg_mshare SCHEMA regress_mshare;
SELECT count(*) > 4 AS works FROM regress_mshare.pg_mshare_backends;
ALTER EXTENSION pg_mshare SET SCHEMA public;
SELECT count(*) > 4 AS works FROM public.pg_mshare_backends;
DROP EXTENSION pg_mshare;
DROP SCHEMA regress_mshare;
