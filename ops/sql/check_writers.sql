-- Fails if somebody whom this role cannot stop could write to a frozen database; changes nothing. Variables: live.
\ir writers.sql
SELECT json_build_object('writers', :'writers'::json);
