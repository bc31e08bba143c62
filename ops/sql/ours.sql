-- Records whose sessions this role may end, whose settings it may write, and to whom it may give objects: role oids, as
-- arrays in generalprobe.endable, .settable and .givable. Since PostgreSQL 16, membership alone suffices for none of
-- them.
SELECT set_config('generalprobe.endable', array_agg(r.oid) FILTER (WHERE me.rolsuper OR NOT r.rolsuper AND (
                      pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')))::text, false),
       set_config('generalprobe.settable', array_agg(r.oid) FILTER (WHERE me.rolsuper OR r.oid = me.oid
                      OR me.rolcreaterole AND NOT r.rolsuper AND (current_setting('server_version_num')::int < 160000
                          OR pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')))::text, false),
       set_config('generalprobe.givable', array_agg(r.oid) FILTER (WHERE pg_has_role(
                      r.oid, CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END))::text, false)
FROM pg_roles r, pg_roles me WHERE me.rolname = current_user \g /dev/null
