-- Lists every object that a dump restores, a line each: its kind, its name, and properties that a restore sets with
-- separate statements (owner, grants, comment, enabled, validated, attached …). A part of dump.sql, and of
-- fingerprint.sql when it proves a restore. Definitions of views and expressions are left out: two versions of
-- PostgreSQL print them differently. Objects of extensions are left out except for their grants, and so are objects
-- that no dump contains (invalid indexes). A role that was dropped without its grants is named by its number, as in a
-- dump. Names do not depend on search_path, which is pg_catalog here.
SELECT current_setting('server_version_num')::int >= 150000 AS publishes_schemas \gset
WITH extended AS MATERIALIZED (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
), schemas AS MATERIALIZED (
    SELECT oid FROM pg_namespace n WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), made AS MATERIALIZED (
    -- Class, oid, owner, grants, and the object type letter of acldefault.
    SELECT 'pg_namespace'::regclass AS class, oid, nspowner AS owner, nspacl AS acl, 'n'::"char" AS kind, oid AS schema FROM pg_namespace
    UNION ALL SELECT 'pg_class'::regclass, oid, relowner, relacl, (CASE relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", relnamespace
    FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND relpersistence <> 't'
    UNION ALL SELECT 'pg_proc'::regclass, oid, proowner, proacl, 'f', pronamespace FROM pg_proc
    UNION ALL SELECT 'pg_type'::regclass, oid, typowner, typacl, 'T', typnamespace FROM pg_type t
    WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'i')
    UNION ALL SELECT 'pg_operator'::regclass, oid, oprowner, NULL, NULL, oprnamespace FROM pg_operator WHERE oprcode <> 0
    UNION ALL SELECT 'pg_opclass'::regclass, oid, opcowner, NULL, NULL, opcnamespace FROM pg_opclass
    UNION ALL SELECT 'pg_opfamily'::regclass, oid, opfowner, NULL, NULL, opfnamespace FROM pg_opfamily
    UNION ALL SELECT 'pg_collation'::regclass, oid, collowner, NULL, NULL, collnamespace FROM pg_collation
    UNION ALL SELECT 'pg_conversion'::regclass, oid, conowner, NULL, NULL, connamespace FROM pg_conversion
    UNION ALL SELECT 'pg_ts_dict'::regclass, oid, dictowner, NULL, NULL, dictnamespace FROM pg_ts_dict
    UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgowner, NULL, NULL, cfgnamespace FROM pg_ts_config
    UNION ALL SELECT 'pg_ts_parser'::regclass, oid, NULL, NULL, NULL, prsnamespace FROM pg_ts_parser
    UNION ALL SELECT 'pg_ts_template'::regclass, oid, NULL, NULL, NULL, tmplnamespace FROM pg_ts_template
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxowner, NULL, NULL, stxnamespace FROM pg_statistic_ext
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, fdwowner, fdwacl, 'F', NULL FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_foreign_server'::regclass, oid, srvowner, srvacl, 'S', NULL FROM pg_foreign_server
    UNION ALL SELECT 'pg_language'::regclass, oid, lanowner, lanacl, 'l', NULL FROM pg_language
    UNION ALL SELECT 'pg_event_trigger'::regclass, oid, evtowner, NULL, NULL, NULL FROM pg_event_trigger
    UNION ALL SELECT 'pg_publication'::regclass, oid, pubowner, NULL, NULL, NULL FROM pg_publication
    UNION ALL SELECT 'pg_cast'::regclass, oid, NULL, NULL, NULL, NULL FROM pg_cast
    UNION ALL SELECT 'pg_am'::regclass, oid, NULL, NULL, NULL, NULL FROM pg_am
    UNION ALL SELECT 'pg_transform'::regclass, oid, NULL, NULL, NULL, NULL FROM pg_transform
), own AS MATERIALIZED (
    -- A dump contains no object of a system schema and no initial object; the schema public is an exception.
    SELECT m.*, i.type, i.identity, array_to_string(ARRAY[i.type, i.identity], ' ') AS name
    FROM made m CROSS JOIN LATERAL pg_identify_object(m.class, m.oid, 0) i
    WHERE (m.oid >= 16384 OR m.class = 'pg_namespace'::regclass) AND (m.schema IS NULL OR m.schema IN (SELECT oid FROM schemas))
      AND (m.class::oid, m.oid) NOT IN (SELECT classid, objid FROM extended)
), granted AS (
    SELECT owner, acl, kind, name, false AS brought FROM own WHERE acl IS NOT NULL
    UNION ALL
    SELECT o.owner, a.attacl, 'c', format('column %s.%I', o.identity, a.attname), false
    FROM own o JOIN pg_attribute a ON o.class = 'pg_class'::regclass AND a.attrelid = o.oid AND a.attacl IS NOT NULL AND a.attnum > 0
    UNION ALL
    -- Of objects of extensions and of the server, only changed grants are dumped.
    SELECT m.owner, m.acl, m.kind, array_to_string(ARRAY[i.type, i.identity], ' '), true
    FROM made m CROSS JOIN LATERAL pg_identify_object(m.class, m.oid, 0) i
    LEFT JOIN pg_init_privs p ON p.classoid = m.class AND p.objoid = m.oid AND p.objsubid = 0
    WHERE m.acl IS NOT NULL AND (p.initprivs IS NULL OR NOT (m.acl @> p.initprivs AND m.acl <@ p.initprivs)) AND NOT EXISTS (SELECT FROM own o WHERE o.class = m.class AND o.oid = m.oid)
      AND coalesce(m.schema NOT IN ('pg_toast'::regnamespace, 'information_schema'::regnamespace), true)
), lists AS (
    SELECT g.name, (SELECT json_agg(one ORDER BY one COLLATE "C") FROM (
               SELECT concat(CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE regexp_replace(pg_get_userbyid(x.grantee), '^unknown \(OID=(\d+)\)$', '\1') END, '=', x.privilege_type,
                             CASE WHEN bool_or(x.is_grantable) THEN ' WITH GRANT OPTION' END) AS one
               -- An extension's objects belong to the role that created the extension.
               FROM aclexplode(g.acl) x WHERE NOT (g.brought AND x.grantee = g.owner) GROUP BY x.grantee, x.privilege_type) l) AS list
    FROM granted g WHERE g.kind = 'c' OR NOT (g.acl @> acldefault(g.kind, g.owner) AND g.acl <@ acldefault(g.kind, g.owner))
), described AS (
    SELECT classoid, objoid, objsubid, description, 'comment' AS what FROM pg_description
    UNION ALL SELECT classoid, objoid, objsubid, concat(provider, ' ', label), 'security label ' || provider FROM pg_seclabel
), hashed AS (
    SELECT c.oid, p.partrelid, a.up FROM pg_class c CROSS JOIN LATERAL pg_partition_ancestors(c.oid) WITH ORDINALITY a (relid, up)
    JOIN pg_partitioned_table p ON p.partrelid = a.relid AND p.partstrat = 'h'
    WHERE c.relispartition AND c.relkind = 'r'
      AND EXISTS (SELECT FROM pg_opclass k WHERE k.oid = ANY (p.partclass) AND k.opcname = 'enum_ops')
), lines AS (
    SELECT 'object' AS kind, o.name, CASE o.class
        WHEN 'pg_class'::regclass THEN (SELECT concat_ws(' ', c.relpersistence, c.relreplident, c.reloptions::text,
                CASE WHEN c.relrowsecurity THEN 'guarded' END, CASE WHEN c.relforcerowsecurity THEN 'forced' END,
                (SELECT hashtextextended(string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef,
                                                              a.attidentity, a.attgenerated), E'\n' ORDER BY a.attname COLLATE "C") COLLATE "C", 0)
                 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
                (SELECT 'of ' || string_agg(h.inhparent::regclass::text, ', ' ORDER BY h.inhseqno) FROM pg_inherits h WHERE h.inhrelid = c.oid),
                -- pg_describe_object returns the same, but in the language of the server's messages.
                (SELECT format('owned by column %s of table %I.%I', a.attname, n.nspname, t.relname) FROM pg_depend d
                 JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace n ON n.oid = t.relnamespace
                 JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                 WHERE c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                   AND d.refclassid = 'pg_class'::regclass LIMIT 1))
            FROM pg_class c WHERE c.oid = o.oid)
        WHEN 'pg_event_trigger'::regclass THEN (SELECT e.evtenabled::text FROM pg_event_trigger e WHERE e.oid = o.oid)
        WHEN 'pg_publication'::regclass THEN (SELECT concat_ws(' ', puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, to_jsonb(p) ->> 'pubviaroot')
                                              FROM pg_publication p WHERE p.oid = o.oid)
        ELSE '' END AS state
    FROM own o
    -- Constructor functions of ranges are created with their type, and belong to the server's first role.
    UNION ALL SELECT 'owner', name, pg_get_userbyid(owner) FROM own
    WHERE owner IS NOT NULL AND NOT (class = 'pg_proc'::regclass AND EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = own.oid AND d.deptype = 'i'))
    UNION ALL SELECT 'grants', name, coalesce(list, '[]')::text FROM lists
    UNION ALL SELECT 'tablespace', o.name, t.spcname FROM own o JOIN pg_class c ON o.class = 'pg_class'::regclass AND c.oid = o.oid
    JOIN pg_tablespace t ON t.oid = c.reltablespace
    -- With an enum as hash key, a restore chooses the partition again: the hash of a label is the hash of its oid.
    UNION ALL SELECT 'spread', o.name, (SELECT p.partrelid::regclass::text FROM hashed p WHERE p.oid = o.oid ORDER BY p.up DESC LIMIT 1)
    FROM own o WHERE o.class = 'pg_class'::regclass AND o.oid IN (SELECT oid FROM hashed)
    UNION ALL SELECT 'object', 'extension ' || quote_ident(extname), extnamespace::regnamespace::text FROM pg_extension
    UNION ALL SELECT 'version', 'extension ' || quote_ident(extname), extversion FROM pg_extension
    UNION ALL
    SELECT 'constraint', format('%I on %s', k.conname, coalesce(o.name, d.name)), concat_ws(' ', k.contype, CASE WHEN k.conislocal THEN k.convalidated END)
    FROM pg_constraint k LEFT JOIN own o ON o.class = 'pg_class'::regclass AND o.oid = k.conrelid AND k.conrelid <> 0
    LEFT JOIN own d ON d.class = 'pg_type'::regclass AND d.oid = k.contypid AND k.contypid <> 0
    -- A restore renames foreign keys of partitions. NOT NULL constraints are listed with their columns. An inherited
    -- constraint has the validity of its parent when it is created.
    WHERE coalesce(o.oid, d.oid) IS NOT NULL AND k.contype NOT IN ('n', 't') AND NOT (k.contype = 'f' AND k.conparentid <> 0)
    UNION ALL
    SELECT 'index', format('%s on %s', i.indexrelid::regclass, o.name), concat_ws(' ', i.indisvalid, i.indisunique, i.indisclustered, i.indisreplident,
           (SELECT 'of ' || h.inhparent::regclass FROM pg_inherits h WHERE h.inhrelid = i.indexrelid))
    FROM own o JOIN pg_index i ON o.class = 'pg_class'::regclass AND i.indrelid = o.oid JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indisvalid AND i.indisready OR c.relkind = 'I'
    UNION ALL
    SELECT 'trigger', format('%I on %s', t.tgname, o.name), concat_ws(' ', t.tgenabled, t.tgfoid::regproc)
    FROM own o JOIN pg_trigger t ON o.class = 'pg_class'::regclass AND t.tgrelid = o.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT 'rule', format('%I on %s', r.rulename, o.name), r.ev_enabled::text
    FROM own o JOIN pg_rewrite r ON o.class = 'pg_class'::regclass AND r.ev_class = o.oid AND r.rulename <> '_RETURN'
    UNION ALL
    SELECT 'policy', format('%I on %s', p.polname, o.name), concat_ws(' ', p.polcmd, p.polpermissive, (
               SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r) END, ', ' ORDER BY 1) FROM unnest(p.polroles) r))
    FROM own o JOIN pg_policy p ON o.class = 'pg_class'::regclass AND p.polrelid = o.oid
    UNION ALL
    SELECT 'default privileges', format('of %s%s on %s', pg_get_userbyid(d.defaclrole), CASE WHEN d.defaclnamespace <> 0 THEN ' in schema '
           || d.defaclnamespace::regnamespace END, d.defaclobjtype), (SELECT json_agg(one ORDER BY one COLLATE "C") FROM (
               SELECT concat(CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE regexp_replace(pg_get_userbyid(x.grantee), '^unknown \(OID=(\d+)\)$', '\1') END, '=', x.privilege_type,
                             CASE WHEN bool_or(x.is_grantable) THEN ' WITH GRANT OPTION' END) AS one
               FROM aclexplode(d.defaclacl) x GROUP BY x.grantee, x.privilege_type) l)::text
    FROM pg_default_acl d
    UNION ALL
    SELECT 'publication', format('%s in publication %I', o.name, p.pubname), ''
    FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid JOIN own o ON o.class = 'pg_class'::regclass AND o.oid = r.prrelid
    UNION ALL
    SELECT 'user mapping', format('of %s on server %I', usename, srvname), '' FROM pg_user_mappings
    UNION ALL
    -- There may be millions of large objects, so they are counted by owner and by grants.
    SELECT 'owner', 'large objects of ' || pg_get_userbyid(lomowner), count(*)::text FROM pg_largeobject_metadata GROUP BY lomowner
    UNION ALL
    SELECT 'grants', 'large objects with ' || acl, json_build_array(count(*))::text FROM (
        SELECT (SELECT string_agg(i::text, ',' ORDER BY i::text) FROM unnest(lomacl) i) AS acl FROM pg_largeobject_metadata
        WHERE NOT (lomacl @> acldefault('L', lomowner) AND lomacl <@ acldefault('L', lomowner))) l GROUP BY acl
    UNION ALL
    SELECT CASE WHEN d.classoid = 'pg_extension'::regclass THEN 'extension ' ELSE '' END || d.what, array_to_string(ARRAY[i.type, i.identity], ' '), hashtextextended(d.description COLLATE "C", 0)::text
    FROM described d CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
    WHERE (d.objoid >= 16384 OR d.classoid = 'pg_namespace'::regclass AND d.objoid IN (SELECT oid FROM schemas)
           AND d.description <> 'standard public schema')
      AND (d.classoid, d.objoid) NOT IN (SELECT classid, objid FROM extended) AND i.identity IS NOT NULL
)
SELECT json_build_object('object', kind, 'name', name, 'is', coalesce(state, '')) FROM lines ORDER BY kind COLLATE "C", name COLLATE "C";
\if :publishes_schemas
SELECT json_build_object('object', 'publication', 'name', format('schema %I in publication %I', s.nspname, p.pubname), 'is', '')
FROM pg_publication_namespace n JOIN pg_publication p ON p.oid = n.pnpubid JOIN pg_namespace s ON s.oid = n.pnnspid ORDER BY 1::text;
\endif
\ir not_dumped.sql
-- Objects that are restored separately (ops/backups/deferred_checks.py).
\ir loose.sql
