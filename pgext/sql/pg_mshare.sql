CREATE EXTENSION pg_mshare;

-- All of shared memory is read, so at least shared_buffers.
SELECT pg_mshare_touch() * 4096 > pg_size_bytes(current_setting('shared_buffers'))
  AS touched_all;

-- No less the second time.
SELECT pg_mshare_touch() = pg_mshare_touch() AS same;

-- A server has a region or it has none, and then no figure of one.
SELECT num_nulls(region_bytes, mapped_bytes, resident_bytes, page_table_bytes,
                 windows, links) IN (0, 6) AS all_or_nothing,
       coalesce(mapped_bytes >= pg_mshare_touch() * 4096, true) AS covers_all,
       coalesce(resident_bytes <= mapped_bytes, true) AS resident_fits,
       coalesce(page_table_bytes > 0, true) AS has_page_tables,
       coalesce(windows > 0, true) AS has_windows
  FROM pg_mshare_region();

-- Only for those who monitor the server.
CREATE ROLE regress_mshare_nobody;
CREATE ROLE regress_mshare_monitor IN ROLE pg_monitor;

SET ROLE regress_mshare_nobody;
SELECT pg_mshare_touch();
SELECT * FROM pg_mshare_region();

SET ROLE regress_mshare_monitor;
SELECT pg_mshare_touch() > 0 AS touched;
SELECT count(*) FROM pg_mshare_region();
RESET ROLE;

-- Touching can be canceled, wherever that hits it.  The timeout ends with the
-- transaction: a command that resets it would run under it, and be canceled too.
\set SHOW_CONTEXT never
BEGIN;
SET LOCAL statement_timeout = 1;
DO $$
BEGIN
    LOOP
        PERFORM pg_mshare_touch();
    END LOOP;
END
$$;
ROLLBACK;

DROP ROLE regress_mshare_monitor, regress_mshare_nobody;
DROP EXTENSION pg_mshare;
