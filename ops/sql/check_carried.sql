-- Succeeds if two databases have the same owner, grants, connection limit, settings, comment (except for the tool's
-- mark) and tablespace. Variables: source, name.
SELECT set_config('generalprobe.source', :'source', false), set_config('generalprobe.name', :'name', false) \g /dev/null
DO $$
DECLARE
    differ text;
BEGIN
    WITH both_of AS (
        SELECT d.datname = current_setting('generalprobe.source') AS is_source, d.datdba, d.datconnlimit, d.dattablespace,
               d.datistemplate,
               (SELECT string_agg(granted, ',' ORDER BY granted) FROM (
                    SELECT concat_ws(':', g.grantee, g.privilege_type, bool_or(g.is_grantable)) AS granted
                    FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) g
                    GROUP BY g.grantee, g.privilege_type) grants) AS acl,
               (SELECT string_agg(concat_ws(':', s.setrole, (SELECT array_agg(c ORDER BY c) FROM unnest(s.setconfig) c)),
                       ',' ORDER BY s.setrole)
                FROM pg_db_role_setting s WHERE s.setdatabase = d.oid) AS settings,
               nullif(regexp_replace(shobj_description(d.oid, 'pg_database'), '^generalprobe [^\n]*\n?', ''), '') AS comment
        FROM pg_database d
        WHERE d.datname IN (current_setting('generalprobe.source'), current_setting('generalprobe.name'))
    )
    SELECT concat_ws(', ', CASE WHEN a.datdba <> b.datdba THEN 'owner' END,
                     CASE WHEN a.datconnlimit <> b.datconnlimit THEN 'connection limit' END,
                     CASE WHEN a.acl IS DISTINCT FROM b.acl THEN 'grants' END,
                     CASE WHEN a.settings IS DISTINCT FROM b.settings THEN 'settings' END,
                     CASE WHEN a.comment IS DISTINCT FROM b.comment THEN 'comment' END,
                     CASE WHEN a.datistemplate <> b.datistemplate THEN 'being a template' END,
                     CASE WHEN a.dattablespace <> b.dattablespace THEN 'tablespace' END)
    INTO differ FROM both_of a JOIN both_of b ON a.is_source AND NOT b.is_source;
    IF differ IS NULL THEN RAISE EXCEPTION 'one of the two databases does not exist'; END IF;
    IF differ <> '' THEN RAISE EXCEPTION 'not copied: %', differ; END IF;
END $$;
