"""The failure catalogue of pg_dump, pg_restore, psql and the application's migrate, as data.

An entry matches by SQLSTATE or by the server's message, and has the cause and what to type. The first match applies.
"""

from __future__ import annotations

from ops.infra.postgres.failure_kind import BACKUP, BY_PATH, RESTORE, Failure
from ops.infra.postgres.right_failures import OF_RIGHTS

_N = r'(?:"([^"]+)"|(\S+))'
FAILURES = (
    Failure(
        BY_PATH,
        r"(?:relation|function|type|operator|schema) (.+) does not exist",
        "function {f} finds {0} by search_path only, which is empty during a restore",
        "ALTER FUNCTION {f} SET search_path = …   on production (the schemas that the function needs)",
        BACKUP,
        ("42P01", "42883", "42704", "3F000"),
        further=r'(?:SQL function|PL/pgSQL function) "?(?P<f>[\w.$]+)',
        tool=RESTORE,
    ),
    *OF_RIGHTS,
    Failure(
        "extension",
        rf'(?:extension {_N} is not available|could not open extension control file ".*/([^/"]+)\.control")',
        "the server does not have the extension {0}",
        "install the package of {0} on the server",
        states=("0A000", "58P01"),
    ),
    Failure(
        "duplicates",
        rf"(?:could not create unique index|duplicate key value violates unique constraint) {_N}$",
        "several rows have the same key{key}: production's index {0} is corrupt, too",
        'remove the duplicate rows, and REINDEX INDEX "{0}"   on production',
        BACKUP,
        ("23505",),
        tool=RESTORE,
    ),
    Failure(
        "exclusion",
        rf"could not create exclusion constraint {_N}|conflicting key value violates exclusion constraint {_N}",
        "rows violate exclusion constraint {0}, also on production: its index is corrupt, or its function was changed",
        'correct these rows, and REINDEX INDEX "{0}"   on production',
        BACKUP,
        ("23P01",),
        tool=RESTORE,
    ),
    Failure(
        "partition",
        rf"new row for relation {_N} violates partition constraint|no partition of relation {_N} found for row",
        "rows belong to another partition than {0}: a function of the partition key was changed since",
        "BEGIN; ALTER TABLE … DETACH PARTITION {0}; INSERT INTO … SELECT * FROM {0}; TRUNCATE {0}; ALTER TABLE … "
        "ATTACH PARTITION {0} FOR VALUES …; COMMIT   on production",
        BACKUP,
        ("23514",),
        tool=RESTORE,
    ),
    Failure(
        "constraint",
        rf"(?:new row for relation {_N} violates check constraint {_N}"
        rf"|insert or update on table {_N} violates foreign key constraint {_N}"
        rf"|null value in column {_N} of relation {_N} violates not-null constraint)",
        "a row of production violates {1}: the constraint depends on time or on other tables, or is newer",
        "ALTER TABLE … DROP CONSTRAINT {1}, and add it again as NOT VALID   on production",
        BACKUP,
        ("23514", "23503", "23502"),
        tool=RESTORE,
    ),
    Failure(
        "disk",
        r".*No space left on device.*|could not extend file.*|could not write.*",
        "the server's disk is full",
        "free disk space on the server (inv status lists the kept databases)",
        states=("53100",),
    ),
    Failure(
        "locks",
        r"out of shared memory",
        "the server's lock table is full (max_locks_per_transaction)",
        "ALTER SYSTEM SET max_locks_per_transaction = 1024, and restart the server",
        states=("53200",),
    ),
    Failure(
        "connections",
        r"(?:sorry, )?too many (?:clients already|connections for .*)|remaining connection slots are reserved.*",
        "the server accepts no more connections",
        "close unused connections, or increase max_connections; `dump: {{jobs: 1}}` in the inventory needs fewer",
        states=("53300",),
    ),
    Failure(
        "ended",
        r"terminating connection due to administrator command",
        "an administrator ended the session, or the server was stopped",
        "",
        states=("57P01",),
    ),
    Failure(
        "standby conflict",
        r"(?:canceling statement|terminating connection) due to conflict with recovery",
        "the standby replayed a change of production that conflicts with the dump, because its replay was not paused",
        "GRANT EXECUTE ON FUNCTION pg_wal_replay_pause(), pg_wal_replay_resume() TO {role}   in the database postgres "
        "of production; or hot_standby_feedback = on, and a longer max_standby_streaming_delay, on the standby",
        states=("40001", "40P01", "57P04"),
    ),
    Failure(
        "standby pause",
        r"the replay of the standby was not paused(?: within 60 s)?: (.*)",
        "the replay of the standby could not be paused: {0}",
        "repeat when the long transactions on production and the queries on the standby have ended, or "
        "`dump: {{from: production}}` in the inventory",
    ),
    Failure(
        "timeout",
        r"canceling statement due to (statement timeout|user request)|terminating connection due to (?!admin)(.*)",
        "the server ended the session or statement: {0}",
        "ALTER ROLE {role} SET statement_timeout = 0   (and idle_in_transaction_session_timeout)",
        states=("57014", "25P03", "25P04", "57P05"),
    ),
    Failure(
        "truncated",
        r"lock timeout: (?:(\S+) was truncated|its tables could not be locked together with pg_dump \((\S+)\)).*",
        "{0} is truncated, rewritten or locked repeatedly, so the dump would contain it as empty",
        "stop that during the backup, or, if {0} is a cache whose rows need no backup, "
        "`dump: {{exclude: [{0}]}}` in the inventory",
        BACKUP,
    ),
    Failure(
        "deadlock",
        r"deadlock detected",
        "two sessions waited for each other, usually two jobs of pg_restore at a partitioned table",
        "`dump: {{jobs: 1}}` in the inventory, if it happens again",
        states=("40P01",),
        tool=RESTORE,
    ),
    Failure(
        "lock",
        r"canceling statement due to lock timeout|deadlock detected",
        "another session holds a conflicting lock",
        "SELECT pid, usename, state, query_start FROM pg_stat_activity ORDER BY query_start   lists the sessions",
        states=("55P03", "40P01"),
    ),
    Failure(
        "version",
        r"unsupported version \((.*)\) in file header|aborting because of server version mismatch"
        r'|unrecognized configuration parameter "(transaction_timeout)"',
        "the version of the client tools does not fit the server or the dump",
        "install the client tools of the server's major version (inv doctor lists the installed versions)",
    ),
    Failure(
        "bytes",
        r"(?:invalid byte sequence for encoding|character with byte sequence .* has no equivalent in encoding).*",
        "a text is not valid in the database's encoding",
        "find and correct the text on production",
        BACKUP,
        ("22021", "22P05"),
    ),
    Failure(
        "template in use",
        r'source database "(.+)" is being accessed by other users',
        "sessions are connected to {0}, the template of the new database",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{0}'",
        states=("55006",),
    ),
    Failure(
        "name taken",
        rf"(?:not swapped: )?database {_N} already exists",
        "another database {0} exists on the server",
        'inv status   lists the kept databases; if it is none of them: ALTER DATABASE "{0}" RENAME TO …',
    ),
    Failure(
        "there",
        r"(.+) already exists",
        "the database template1 contains {0}, so every new database has it",
        "remove {0} from template1",
        states=("42710", "42P07", "42P06", "42723"),
        tool=RESTORE,
    ),
    Failure(
        "row too long",
        r"invalid memory alloc request size \d+|string buffer exceeds maximum allowed length.*",
        "a row is too long: its text has more than 1 GB   (a bytea takes two characters a byte)",
        "store that value in parts or as a large object   on production; or `dump: {{exclude: [schema.table]}}` in the "
        "inventory",
        BACKUP,
    ),
    Failure(
        "memory",
        r"out of memory|a worker process died unexpectedly|.*killed by signal 9.*",
        "there is not enough memory",
        "`dump: {{jobs: 1}}` in the inventory needs less; or add memory, or reduce work_mem and maintenance_work_mem",
        states=("53200",),
    ),
    Failure(
        "password",
        rf"(?:password|SCRAM|peer|ident|GSSAPI|certificate) authentication failed for user {_N}",
        "the server rejects the password of {0}",
        "correct the address in the inventory's `database`",
        states=("28P01",),
    ),
    Failure(
        "pg_hba",
        r"no pg_hba\.conf entry for (.*)",
        "pg_hba.conf of the server has no entry for {0}",
        "add an entry to pg_hba.conf, and SELECT pg_reload_conf()",
        states=("28000",),
    ),
    Failure(
        "not filled",
        rf"materialized view {_N} has not been populated",
        "the statement reads the materialized view {0}, which is not populated",
        "REFRESH MATERIALIZED VIEW {0}",
        states=("55000",),
    ),
    Failure(
        "no database",
        rf"database {_N} (?:does not exist|is not currently accepting connections)",
        "the database {0} does not exist, or accepts no connections",
        "inv status lists the kept databases; inv recover if production does not exist",
        states=("3D000", "55000"),
    ),
    Failure(
        "starting",
        r"the database system is (starting up|shutting down|in recovery mode|not yet accepting connections).*",
        "the server is {0}",
        "",
        states=("57P03",),
    ),
    Failure(
        "crashed",
        r"terminating connection because of crash of another server process|server closed the connection unexpectedly"
        r"|connection to server was lost|SSL connection has been closed unexpectedly"
        r"|could not receive data from server.*",
        "the connection was lost: the server crashed or was restarted, or the network failed",
        "check the server's log",
        states=("57P02", "08006", "08003"),
    ),
    Failure(
        "network",
        r".*(?:could not translate host name|Connection refused|timeout expired|No route to host"
        r"|Network is unreachable).*",
        "the server can't be reached",
        "check that the server runs, and its address in the inventory's `database`",
        states=("08001", "08004"),
    ),
    Failure(
        "certificate",
        r".*(?:certificate verify failed|server does not support SSL|SSL error|root certificate file).*",
        "the encrypted connection to the server failed",
        "correct sslmode and sslrootcert in the inventory's `database`",
    ),
    Failure(
        "standby",
        r"cannot execute .* during recovery|canceling statement due to conflict with recovery",
        "the server is a standby",
        "use the primary's address in the inventory's `database`; to back up a standby: max_standby_streaming_delay",
    ),
    Failure(
        "read only",
        r"cannot execute (.+) in a read-only transaction",
        "{role}'s sessions are read-only, because of a freeze or a setting",
        "inv status reports a freeze; without a freeze: ALTER ROLE {role} RESET default_transaction_read_only",
        states=("25006",),
    ),
    Failure(
        "serialization",
        r"could not serialize access.*",
        "another session changed the same rows at the same time",
        "",
        states=("40001",),
    ),
    Failure(
        "in use",
        rf"(?:source )?database {_N} is being accessed by other users|.*is used by an active .*|.*being used by .*",
        "sessions that could not be ended use {0}",
        "SELECT pid, usename, application_name FROM pg_stat_activity WHERE datname = '{0}'   lists them",
        states=("55006",),
    ),
    Failure(
        "library",
        rf"could not (?:access|load) (?:file|library) {_N}.*|incompatible library {_N}.*",
        "the server does not have the library {0} of an extension or function",
        "install the package of {0} on the server",
        states=("58P01", "XX000"),
    ),
    Failure(
        "language",
        rf"language {_N} does not exist",
        "the server does not have the language {0}",
        "install the package of {0}, then   CREATE EXTENSION {0}   as an administrator",
        states=("42704",),
    ),
    Failure(
        "collation",
        rf"collation {_N} for encoding {_N} does not exist|invalid (?:LC_\w+ )?locale name:? {_N}"
        rf"|encoding {_N} does not match locale {_N}|could not open collator for locale {_N}.*",
        "the server does not have the locale or collation {0}",
        "locale-gen {0} on the server's machine, and restart PostgreSQL",
        states=("42704", "22023", "42809"),
    ),
    Failure(
        "corrupt",
        r"invalid page in block.*|missing chunk number.*|could not read blocks?.*|.*unexpected chunk number.*"
        r"|compressed \S+ data is corrupt|could not access status of transaction.*"
        r"|index .* contains unexpected zero page.*",
        "the server's data files are damaged",
        "retain the existing backups; check the server's log, its disk, and run pg_amcheck",
        BACKUP,
        ("XX001", "XX002"),
    ),
    Failure(
        "wraparound",
        r"database is not accepting commands that (?:assign|generate) new .*|.*to avoid wraparound data loss.*",
        "the server has no transaction IDs left",
        "end old prepared transactions, slots and long transactions, then   VACUUM (FREEZE)   as an administrator",
    ),
    Failure(
        "index row",
        rf"index row size \d+ exceeds .* maximum \d+ for index {_N}",
        "a value is too long for the index {0}",
        "drop the index, or index md5(…)   on production",
        states=("54000",),
    ),
    Failure(
        "depth",
        r"stack depth limit exceeded",
        "an expression, view or trigger is nested too deeply",
        "ALTER SYSTEM SET max_stack_depth = '6MB'; SELECT pg_reload_conf()",
        states=("54001",),
    ),
    Failure(
        "setting",
        r'unrecognized configuration parameter "?([\w.]+)"?|invalid value for parameter "?([\w.]+)"?.*',
        "the server does not know the setting {0}, or its value",
        "remove the setting from production's role, database or function, or load the extension that defines it",
        states=("42704", "22023"),
    ),
    Failure(
        "damaged",
        r"input file does not appear to be a valid archive.*|did not find magic string.*"
        r"|could not read from input file.*|.*unexpected end of file.*|corrupt tar header.*|could not uncompress data.*"
        r"|.*input directory .* does not appear.*",
        "the dump's files are damaged",
        "use another backup: inv backups",
    ),
    Failure(
        "compression",
        r'.*this build does not support compression with "?(\w+)"?.*'
        r"|could not .*compress.*: (?:not built with )?(\w+) .*",
        "the client tools do not support {0}",
        "install client tools with {0}; for new backups: `dump: {{compress: 6}}`",
    ),
    Failure(
        "syntax",
        r"syntax error at or near .*",
        "the server does not know a statement of the dump: the dump was made on a newer server",
        "use a server of that version or newer   (inv backups --needs=ID)",
        states=("42601",),
        tool=RESTORE,
    ),
    Failure(
        "index function",
        r'([^":]+).*',
        "function {f} of the index fails for a row of production ({0})",
        "correct the function or the rows, then   REINDEX {object}   on production",
        BACKUP,
        further=r'(?:SQL function|PL/pgSQL function) "?(?P<f>[\w.$]+)',
        tool=RESTORE,
        command=r"CREATE (?:UNIQUE )?INDEX ",
    ),
)
