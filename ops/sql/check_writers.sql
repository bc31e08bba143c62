-- Says who could still write to a frozen database and can't be stopped by this role; changes nothing. Variables: live.
\ir writers.sql
SELECT json_build_object('writers', :'writers'::json);
