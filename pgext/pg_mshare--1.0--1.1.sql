/* SPDX-License-Identifier: PostgreSQL */
/* pg_mshare--1.0--1.1.sql: views of regions, processes, savings and history; prefault and advice */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION pg_mshare UPDATE TO '1.1'" to load this file. \quit

--
-- The shared memory of the server
--
CREATE FUNCTION pg_mshare_regions(
    OUT object text,
    OUT address text,
    OUT size bigint,
    OUT backend text,
    OUT page_size bigint,
    OUT resident bigint,
    OUT page_tables bigint,
    OUT processes bigint,
    OUT reason text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pg_mshare_regions'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

CREATE VIEW pg_mshare_regions AS
  SELECT * FROM pg_mshare_regions();

COMMENT ON FUNCTION pg_mshare_regions() IS
'the shared memory objects of the server; what the view pg_mshare_regions shows';
COMMENT ON VIEW pg_mshare_regions IS
'one row per shared memory object of the server: its size, and who pays its page tables';
COMMENT ON COLUMN pg_mshare_regions.object IS
'main memory, SysV interlock, DSM control, or DSM and the handle of the segment';
COMMENT ON COLUMN pg_mshare_regions.address IS
'where this backend has it, hexadecimal; null if it has not mapped it';
COMMENT ON COLUMN pg_mshare_regions.size IS
'bytes';
COMMENT ON COLUMN pg_mshare_regions.backend IS
'msharefs: one set of page tables for all processes; hugetlb or thp: few, by huge pages; none: each process has its own; null: each process chooses';
COMMENT ON COLUMN pg_mshare_regions.page_size IS
'bytes in a page';
COMMENT ON COLUMN pg_mshare_regions.resident IS
'bytes in memory now; huge pages are set aside as a whole';
COMMENT ON COLUMN pg_mshare_regions.page_tables IS
'bytes of the shared page tables, paid once for all processes; null if they are not shared';
COMMENT ON COLUMN pg_mshare_regions.processes IS
'processes that have it mapped';
COMMENT ON COLUMN pg_mshare_regions.reason IS
'why its page tables are not shared, or why a column is null';

--
-- The processes of the server
--
CREATE FUNCTION pg_mshare_processes(
    OUT pid integer,
    OUT datid oid,
    OUT usesysid oid,
    OUT title text,
    OUT page_tables bigint,
    OUT minor_faults bigint,
    OUT major_faults bigint,
    OUT rss bigint,
    OUT rss_shared bigint,
    OUT rss_private bigint,
    OUT demoted boolean,
    OUT reason text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pg_mshare_processes'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

-- A pid in the statistics that has been taken by another process since is told
-- by its database and user.
CREATE VIEW pg_mshare_backends AS
  SELECT p.pid,
         coalesce(a.backend_type, p.title) AS backend_type,
         coalesce(p.usesysid, a.usesysid) AS usesysid,
         r.rolname AS usename,
         p.datid,
         d.datname,
         p.page_tables,
         p.minor_faults,
         p.major_faults,
         p.rss,
         p.rss_shared,
         p.rss_private,
         p.demoted,
         p.reason
    FROM pg_mshare_processes() p
    LEFT JOIN pg_catalog.pg_stat_get_activity(NULL) a
           ON a.pid = p.pid
          AND a.datid IS NOT DISTINCT FROM p.datid
          AND (a.usesysid = p.usesysid OR p.usesysid IS NULL)
    LEFT JOIN pg_catalog.pg_database d ON d.oid = p.datid
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = coalesce(p.usesysid, a.usesysid);

COMMENT ON FUNCTION pg_mshare_processes() IS
'the processes of the server as /proc has them; pg_mshare_backends gives them names';
COMMENT ON VIEW pg_mshare_backends IS
'one row per server process: its own page tables, page faults and memory';
COMMENT ON COLUMN pg_mshare_backends.pid IS
'process ID, as in pg_stat_activity';
COMMENT ON COLUMN pg_mshare_backends.backend_type IS
'as in pg_stat_activity; or postmaster, logger, or null for a process that only just started';
COMMENT ON COLUMN pg_mshare_backends.usesysid IS
'OID of the user';
COMMENT ON COLUMN pg_mshare_backends.usename IS
'name of the user';
COMMENT ON COLUMN pg_mshare_backends.datid IS
'OID of the database';
COMMENT ON COLUMN pg_mshare_backends.datname IS
'name of the database';
COMMENT ON COLUMN pg_mshare_backends.page_tables IS
'bytes of page tables of its own (VmPTE); shared ones are not in it';
COMMENT ON COLUMN pg_mshare_backends.minor_faults IS
'page faults without disk access since the process started';
COMMENT ON COLUMN pg_mshare_backends.major_faults IS
'page faults with disk access since the process started';
COMMENT ON COLUMN pg_mshare_backends.rss IS
'bytes of memory its own page tables map; of shared memory with shared page tables, none';
COMMENT ON COLUMN pg_mshare_backends.rss_shared IS
'of rss, shared memory and files (RssShmem + RssFile)';
COMMENT ON COLUMN pg_mshare_backends.rss_private IS
'of rss, its own memory (RssAnon)';
COMMENT ON COLUMN pg_mshare_backends.demoted IS
'true: it uses page tables of its own for main memory although the server has shared ones';
COMMENT ON COLUMN pg_mshare_backends.reason IS
'why columns are null';

--
-- What sharing saves
--
CREATE FUNCTION pg_mshare_savings(
    OUT processes bigint,
    OUT page_tables_private bigint,
    OUT page_tables_shared bigint,
    OUT page_tables bigint,
    OUT unshared_worst bigint,
    OUT unshared_measured bigint,
    OUT saved bigint,
    OUT ratio double precision,
    OUT max_connections integer,
    OUT page_tables_at_max bigint,
    OUT unshared_worst_at_max bigint,
    OUT reason text)
RETURNS record
AS 'MODULE_PATHNAME', 'pg_mshare_savings'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

CREATE VIEW pg_mshare_savings AS
  SELECT * FROM pg_mshare_savings();

COMMENT ON FUNCTION pg_mshare_savings() IS
'page tables of the whole server with and without sharing; what the view pg_mshare_savings shows';
COMMENT ON VIEW pg_mshare_savings IS
'one row: page tables of the whole server now, and what they would be without sharing';
COMMENT ON COLUMN pg_mshare_savings.processes IS
'processes of the server that could be read';
COMMENT ON COLUMN pg_mshare_savings.page_tables_private IS
'bytes of page tables that belong to one process each, summed up';
COMMENT ON COLUMN pg_mshare_savings.page_tables_shared IS
'bytes of page tables that all processes share, counted once';
COMMENT ON COLUMN pg_mshare_savings.page_tables IS
'bytes of all page tables of the server: private and shared';
COMMENT ON COLUMN pg_mshare_savings.unshared_worst IS
'bytes it would be without sharing, once every process has touched all shared memory that is resident';
COMMENT ON COLUMN pg_mshare_savings.unshared_measured IS
'bytes it is without sharing; null where page tables are shared, as nobody can measure it there';
COMMENT ON COLUMN pg_mshare_savings.saved IS
'unshared_worst less page_tables where page tables are shared, else 0';
COMMENT ON COLUMN pg_mshare_savings.ratio IS
'unshared_worst divided by page_tables where page tables are shared, else 1';
COMMENT ON COLUMN pg_mshare_savings.max_connections IS
'the setting';
COMMENT ON COLUMN pg_mshare_savings.page_tables_at_max IS
'page_tables, extrapolated to that many connections';
COMMENT ON COLUMN pg_mshare_savings.unshared_worst_at_max IS
'unshared_worst, extrapolated to that many connections';
COMMENT ON COLUMN pg_mshare_savings.reason IS
'why page tables are not shared, or why columns are null';

--
-- History
--
CREATE FUNCTION pg_mshare_history(
    OUT sampled_at timestamptz,
    OUT backends integer,
    OUT processes integer,
    OUT page_tables_private bigint,
    OUT page_tables_shared bigint,
    OUT machine_page_tables bigint,
    OUT machine_available bigint,
    OUT minor_faults_per_second double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pg_mshare_history'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE;

CREATE VIEW pg_mshare_history AS
  SELECT * FROM pg_mshare_history();

COMMENT ON FUNCTION pg_mshare_history() IS
'samples of the background worker, oldest first; what the view pg_mshare_history shows';
COMMENT ON VIEW pg_mshare_history IS
'one row every pg_mshare.sample_interval, the last pg_mshare.history_size of them';
COMMENT ON COLUMN pg_mshare_history.sampled_at IS
'when the sample was taken';
COMMENT ON COLUMN pg_mshare_history.backends IS
'client backends';
COMMENT ON COLUMN pg_mshare_history.processes IS
'processes of the server, backends included';
COMMENT ON COLUMN pg_mshare_history.page_tables_private IS
'bytes of page tables that belong to one process each, summed up';
COMMENT ON COLUMN pg_mshare_history.page_tables_shared IS
'bytes of page tables that all processes share, counted once';
COMMENT ON COLUMN pg_mshare_history.machine_page_tables IS
'bytes of all page tables of the machine (PageTables of /proc/meminfo)';
COMMENT ON COLUMN pg_mshare_history.machine_available IS
'bytes of memory still to be had on the machine (MemAvailable of /proc/meminfo)';
COMMENT ON COLUMN pg_mshare_history.minor_faults_per_second IS
'page faults without disk access of the server since the sample before; null in the first';

--
-- Prefault
--
CREATE FUNCTION pg_mshare_prefault()
RETURNS bigint
AS 'MODULE_PATHNAME', 'pg_mshare_prefault'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

CREATE FUNCTION pg_mshare_prefault_progress(
    OUT state text,
    OUT pid integer,
    OUT total bigint,
    OUT done bigint,
    OUT started_at timestamptz,
    OUT finished_at timestamptz,
    OUT reason text)
RETURNS record
AS 'MODULE_PATHNAME', 'pg_mshare_prefault_progress'
LANGUAGE C VOLATILE STRICT PARALLEL SAFE;

CREATE VIEW pg_mshare_prefault_progress AS
  SELECT * FROM pg_mshare_prefault_progress();

COMMENT ON FUNCTION pg_mshare_prefault() IS
'brings all of the main shared memory into memory, in this backend; returns the bytes';
COMMENT ON FUNCTION pg_mshare_prefault_progress() IS
'the last prefault of the main shared memory; what the view pg_mshare_prefault_progress shows';
COMMENT ON VIEW pg_mshare_prefault_progress IS
'one row: how far the last prefault of the main shared memory is or got';
COMMENT ON COLUMN pg_mshare_prefault_progress.state IS
'none, running, done, failed, or canceled';
COMMENT ON COLUMN pg_mshare_prefault_progress.pid IS
'the process that does or did it';
COMMENT ON COLUMN pg_mshare_prefault_progress.total IS
'bytes to be prefaulted';
COMMENT ON COLUMN pg_mshare_prefault_progress.done IS
'bytes prefaulted';
COMMENT ON COLUMN pg_mshare_prefault_progress.started_at IS
'when it began';
COMMENT ON COLUMN pg_mshare_prefault_progress.finished_at IS
'when it ended, however it ended';
COMMENT ON COLUMN pg_mshare_prefault_progress.reason IS
'why it failed';

--
-- Advice
--
CREATE FUNCTION pg_mshare_advise(
    connections integer DEFAULT NULL,
    shared_buffers bigint DEFAULT NULL,
    OUT configuration text,
    OUT shared_memory bigint,
    OUT page_tables bigint,
    OUT page_tables_per_connection bigint,
    OUT settings text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pg_mshare_advise'
LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION pg_mshare_advise(integer, bigint) IS
'predicted page tables, in bytes, for so many connections and shared buffers (bytes) with 4 kB pages, huge pages and mshare; nulls mean the settings of this server';

-- Not for everybody: some of it takes memory and time, all of it tells about others.
REVOKE ALL ON pg_mshare_regions, pg_mshare_backends, pg_mshare_savings,
  pg_mshare_history, pg_mshare_prefault_progress FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_mshare_regions(), pg_mshare_processes(),
  pg_mshare_savings(), pg_mshare_history(), pg_mshare_prefault(),
  pg_mshare_prefault_progress(), pg_mshare_advise(integer, bigint) FROM PUBLIC;

GRANT SELECT ON pg_mshare_regions, pg_mshare_backends, pg_mshare_savings,
  pg_mshare_history, pg_mshare_prefault_progress TO pg_monitor;
GRANT EXECUTE ON FUNCTION pg_mshare_regions(), pg_mshare_processes(),
  pg_mshare_savings(), pg_mshare_history(), pg_mshare_prefault(),
  pg_mshare_prefault_progress(), pg_mshare_advise(integer, bigint) TO pg_monitor;
