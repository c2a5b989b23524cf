/* SPDX-License-Identifier: PostgreSQL */
/* pg_mshare--1.0.sql: the objects of extension pg_mshare */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION pg_mshare" to load this file. \quit

CREATE FUNCTION pg_mshare_touch()
RETURNS bigint
AS 'MODULE_PATHNAME', 'pg_mshare_touch'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION pg_mshare_touch() IS
'reads one byte of every page of the main shared memory; returns the number of pages';

CREATE FUNCTION pg_mshare_region(
    OUT region_bytes bigint,
    OUT mapped_bytes bigint,
    OUT resident_bytes bigint,
    OUT page_table_bytes bigint,
    OUT windows bigint,
    OUT links bigint)
RETURNS record
AS 'MODULE_PATHNAME', 'pg_mshare_region'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION pg_mshare_region() IS
'the msharefs region of the main shared memory and its page tables, paid once for all processes; nulls if there is none';

-- Touching all of shared memory takes memory and time: not for everybody.
REVOKE ALL ON FUNCTION pg_mshare_touch() FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_mshare_region() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pg_mshare_touch() TO pg_monitor;
GRANT EXECUTE ON FUNCTION pg_mshare_region() TO pg_monitor;
