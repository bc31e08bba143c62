-- Lists what belongs to the tables of a database besides rows, one JSON object a line: relations (also views and
-- sequences, for their grants), their constraints, triggers and so on, and sequences. Each sequence names the columns
-- that take values from it, and whether they are unique. Changes nothing.
WITH relations AS (
    SELECT c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) AS name, c.relacl, c.relowner, c.relnamespace,
           c.relrowsecurity, c.relforcerowsecurity, c.relpersistence
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), tables AS (
    SELECT * FROM relations WHERE relkind IN ('r', 'p')
), grants AS (
    SELECT t.oid, a.grantee, a.privilege_type, '' AS attname, t.relowner
    FROM relations t, aclexplode(t.relacl) a WHERE a.grantee <> t.relowner AND t.relkind <> 'f'
    UNION ALL
    SELECT t.oid, a.grantee, a.privilege_type, c.attname, t.relowner
    FROM tables t JOIN pg_attribute c ON c.attrelid = t.oid, aclexplode(c.attacl) a WHERE a.grantee <> t.relowner
), attached (oid, kind, name, definition) AS (
    SELECT oid, 'grant', said, said FROM grants, LATERAL (SELECT
        concat(privilege_type, CASE WHEN attname <> '' THEN format('(%I)', attname) END, ' to ',
               CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END)) s (said)
    UNION ALL
    SELECT p.polrelid, 'policy', p.polname, concat_ws(' ', p.polcmd, p.polpermissive,
           (SELECT string_agg(pg_get_userbyid(r), ',' ORDER BY 1) FROM unnest(p.polroles) r WHERE r <> 0),
           'USING ' || pg_get_expr(p.polqual, p.polrelid), 'WITH CHECK ' || pg_get_expr(p.polwithcheck, p.polrelid))
    FROM pg_policy p JOIN tables t ON t.oid = p.polrelid
    UNION ALL
    SELECT oid, 'policy', 'ROW LEVEL SECURITY', 'row level security' FROM tables WHERE relrowsecurity
    UNION ALL
    SELECT oid, 'policy', 'FORCE ROW LEVEL SECURITY', 'force row level security' FROM tables WHERE relforcerowsecurity
    UNION ALL
    SELECT oid, 'log', 'LOGGED', 'logged' FROM tables WHERE relpersistence = 'p'
    UNION ALL
    -- Without the trigger's name, so that a renamed trigger is found. The last word is the enabled state.
    SELECT t.tgrelid, 'trigger', t.tgname, replace(pg_get_triggerdef(t.oid), format(' %I ', t.tgname), ' ') || ' ' || t.tgenabled::text
    FROM pg_trigger t JOIN tables r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal AND t.tgparentid = 0
    UNION ALL
    -- Internal triggers enforce foreign keys.
    SELECT r.oid, 'constraint', 'the foreign keys', concat(CASE WHEN bool_or(t.tgenabled = 'D') THEN 'D' ELSE 'O' END)
    FROM pg_trigger t JOIN tables r ON r.oid = t.tgrelid WHERE t.tgisinternal AND t.tgparentid = 0 GROUP BY r.oid
    UNION ALL
    SELECT d.refobjid, 'view', v.name, pg_get_viewdef(v.oid)
    FROM pg_depend d JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
    JOIN relations v ON v.oid = w.ev_class AND v.relkind IN ('v', 'm') JOIN tables t ON t.oid = d.refobjid
    WHERE d.refclassid = 'pg_class'::regclass GROUP BY 1, 3, 4
    UNION ALL
    SELECT r.prrelid, 'publication', p.pubname, p.pubname
    FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
    UNION ALL
    SELECT d.objoid, 'comment', CASE WHEN d.objsubid = 0 THEN 'the table' ELSE a.attname::text END,
           CASE WHEN d.objsubid = 0 THEN 'the table' ELSE a.attname::text END
    FROM pg_description d JOIN tables t ON t.oid = d.objoid
    LEFT JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid
    WHERE d.classoid = 'pg_class'::regclass
), uses AS (
    -- Columns that own a sequence or whose default uses the sequence.
    SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS number
    FROM pg_depend d JOIN relations s ON s.oid = d.objid AND s.relkind = 'S'
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    UNION
    SELECT d.refobjid, f.adrelid, f.adnum
    FROM pg_depend d JOIN relations s ON s.oid = d.refobjid AND s.relkind = 'S'
    JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
    WHERE d.refclassid = 'pg_class'::regclass
)
SELECT json_build_object('relation', t.name, 'oid', t.oid::bigint, 'table', t.relkind IN ('r', 'p'), 'attached', (
    SELECT coalesce(json_agg(json_build_array(a.kind, a.name, a.definition) ORDER BY a.kind, a.name), '[]')
    FROM attached a WHERE a.oid = t.oid))
FROM relations t WHERE t.relkind <> 'f'
UNION ALL
SELECT json_build_object('sequence', s.name, 'oid', s.oid::bigint, 'step', q.seqincrement, 'cycle', q.seqcycle,
       'identity', EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.deptype = 'i'), 'columns', (
    SELECT coalesce(json_agg(json_build_array(r.name, a.attname, EXISTS (
               SELECT FROM pg_index i WHERE i.indrelid = u.relation AND i.indisunique AND u.number = ANY (i.indkey)))
           ORDER BY r.name, a.attname), '[]')
    FROM uses u JOIN tables r ON r.oid = u.relation
    JOIN pg_attribute a ON a.attrelid = u.relation AND a.attnum = u.number WHERE u.sequence = s.oid))
FROM relations s JOIN pg_sequence q ON q.seqrelid = s.oid
UNION ALL
-- Default privileges of tables and sequences that this role creates.
SELECT json_build_object('default', concat(CASE d.defaclobjtype WHEN 'S' THEN 'sequences ' END,
                                           nullif(d.defaclnamespace, 0)::regnamespace),
       'grants', json_agg(concat(a.privilege_type, ' to ', CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END)))
FROM pg_default_acl d, aclexplode(d.defaclacl) a
WHERE d.defaclobjtype IN ('r', 'S') AND d.defaclrole = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND a.grantee <> d.defaclrole
GROUP BY d.defaclnamespace, d.defaclobjtype;
