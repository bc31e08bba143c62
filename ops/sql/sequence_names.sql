-- Sets `sequences` to a digest of the names of all sequences.
SELECT md5(coalesce(string_agg(format('%s %I.%I', c.oid, n.nspname, c.relname), ' ' ORDER BY c.oid), '')) AS sequences
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND c.relpersistence <> 't' \gset
