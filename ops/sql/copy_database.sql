-- Copies a marked clone inside the server. A former copy of the same name is dropped first if it has the mark. Never
-- run it on production: it blocks new connections while it copies. Variables: source, name, marker.
\ir ours.sql
SELECT set_config('generalprobe.source', :'source', false) \g /dev/null
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_database WHERE datname = current_setting('generalprobe.source')
                   AND shobj_description(oid, 'pg_database') LIKE 'generalprobe clone %') THEN
        RAISE EXCEPTION '% is not marked as a clone', current_setting('generalprobe.source');
    END IF;
    PERFORM pg_terminate_backend(pid, 2000) FROM pg_stat_activity
    WHERE datname = current_setting('generalprobe.source') AND usesysid = ANY (current_setting('generalprobe.endable')::oid[]);
END $$;
SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database
WHERE datname = :'name' AND shobj_description(oid, 'pg_database') LIKE 'generalprobe clone %' \gexec
SELECT format('CREATE DATABASE %I TEMPLATE %I%s', :'name', :'source',
              CASE WHEN current_setting('server_version_num')::int >= 150000 THEN ' STRATEGY file_copy' END) AS copy,
       EXISTS (SELECT FROM pg_settings WHERE name = 'file_copy_method' AND 'clone' = ANY (enumvals)) AS clones \gset
-- From PostgreSQL 18 on the copy may share its blocks with the source; a file system that can't do that refuses.
\if :clones
SET file_copy_method = clone;
\set ON_ERROR_STOP off
:copy;
\set ON_ERROR_STOP on
\if :ERROR
SET file_copy_method = copy;
:copy;
\endif
\else
:copy;
\endif
SELECT format('COMMENT ON DATABASE %I IS %L', :'name', :'marker') \gexec
