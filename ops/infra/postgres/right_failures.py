"""What only an administrator or an owner may do: the failures of the catalogue that are about rights."""

from __future__ import annotations

from ops.infra.postgres.failure_kind import BACKUP, RESTORE, Failure

_N = r'(?:"([^"]+)"|(\S+))'
OF_RIGHTS = (
    Failure(
        "role",
        rf"role {_N} does not exist",
        "the role {0} is not on this server",
        'CREATE ROLE "{0}" NOLOGIN',
        states=("42704",),
    ),
    Failure(
        "owner",
        rf"must be (?:a )?member of role {_N}$|must be able to SET ROLE {_N}$",
        "it belongs to {0}, and {role} is no member of it",
        "{owner}",
        states=("42501",),
    ),
    Failure(
        "default privileges",
        r"permission denied to change default privileges",
        "they are of what {maker} makes, and {role} is no member of it",
        "{maker_way}",
        states=("42501",),
    ),
    Failure(
        "extension by an administrator",
        r'permission denied to create extension "(.+)"',
        "only a superuser may create it, and {role} is none",
        "CREATE EXTENSION {0}   in the database template1 of that server: what is created anew has it then",
        states=("42501",),
    ),
    Failure(
        "publication of all",
        r"must be superuser to create (FOR (?:ALL )?TABLES.*) publication",
        "only a superuser may publish {0}, and {role} is none",
        "DROP {object}; CREATE {object} FOR TABLE …   on production: its owner may name the tables   "
        "(or ALTER ROLE {role} SUPERUSER)",
        BACKUP,
        ("42501",),
    ),
    Failure(
        "event trigger",
        r"permission denied to create event trigger .*",
        "only a superuser may create it, and {role} is none",
        "ALTER ROLE {role} SUPERUSER   (or DROP {object}   on production, back up anew, and after a rollback   "
        "{statement})",
        states=("42501",),
    ),
    Failure(
        "subscription",
        r"(?:permission denied to create|must be superuser to create) subscriptions?",
        "{role} may create none",
        "GRANT pg_create_subscription TO {role}   (before PostgreSQL 16: ALTER ROLE {role} SUPERUSER)",
        states=("42501",),
    ),
    Failure(
        "extension of one database",
        r"can only create extension in database (.+)",
        "it can be in the database {0} only, by its setting, so no restored one can have it",
        "let it be in the database postgres   (pg_cron: cron.database_name, and cron.schedule_in_database)",
        BACKUP,
    ),
    Failure(
        "superuser",
        r"must be superuser.*"
        r"|permission denied to (?:alter|add|create (?:foreign-data wrapper|cast|access method|language)).*",
        "only a superuser may do that, and {role} is none",
        "ALTER ROLE {role} SUPERUSER   (or remove it from production, and back up anew)",
        states=("42501",),
    ),
    Failure(
        "tablespace",
        rf"tablespace {_N} does not exist",
        "it lies in the tablespace {0}, which is not there",
        'CREATE TABLESPACE "{0}" LOCATION …; GRANT CREATE ON TABLESPACE "{0}" TO {role}',
        states=("42704",),
    ),
    Failure(
        "right to a tablespace",
        rf"permission denied for tablespace {_N}",
        "it lies in the tablespace {0}, where {role} may put nothing",
        'GRANT CREATE ON TABLESPACE "{0}" TO {role}',
        states=("42501",),
    ),
    Failure(
        "granted by another",
        r'permission denied to set session authorization.*',
        "{grantors} granted a right on it, and only a superuser can restore that in another name",
        "{granted_anew}   on production   (or ALTER ROLE {role} SUPERUSER)",
        BACKUP,
        ("42501",),
        tool=RESTORE,
    ),
    Failure(
        "leakproof",
        r"only superuser can define a leakproof function",
        "only a superuser may create a leakproof function, and {role} is none",
        "ALTER {object} NOT LEAKPROOF   on production   (or ALTER ROLE {role} SUPERUSER)",
        BACKUP,
        ("42501",),
    ),
    Failure(
        "setting of an administrator",
        r'permission denied to set parameter "(.+)"',
        "it sets {0}, which only an administrator may",
        "GRANT SET ON PARAMETER {0} TO {role}   (before PostgreSQL 15: ALTER {object} RESET {0}   on production)",
        states=("42501",),
    ),
    Failure(
        "language of an administrator",
        r"permission denied for language (.+)",
        "only a superuser may write functions in {0}, and {role} is none",
        "ALTER ROLE {role} SUPERUSER   (or DROP {object}   on production, and back up anew)",
        states=("42501",),
        tool=RESTORE,
    ),
    Failure(
        "right on the server's own",
        r"permission denied for (.+)",
        "{0} is the server's own, and only an administrator may grant or revoke a right on it",
        "{reversed}   on production, as an administrator   (and after a rollback   {statement})",
        BACKUP,
        ("42501",),
        tool=RESTORE,
        command=r"(?:GRANT|REVOKE) .* ON (?:\w+ )?(?:pg_catalog|information_schema)\.",
    ),
    Failure(
        "foreign-data wrapper",
        rf"permission denied for foreign-data wrapper {_N}",
        "{heir} may own no server of the foreign-data wrapper {0}",
        "GRANT USAGE ON FOREIGN DATA WRAPPER {0} TO {heir}   (where template1 has it: there, too)",
        states=("42501",),
        tool=RESTORE,
    ),
    Failure(
        "right",
        r"(?:permission denied for|must be owner of) (.+)",
        "{role} has no right to {0}",
        "let {role} own {0}, or be a member of the role that does   (docs/how-to/rights.md)",
        states=("42501",),
    ),
)
