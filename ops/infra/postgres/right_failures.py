"""The failure catalogue of missing rights."""

from __future__ import annotations

from ops.infra.postgres.failure_kind import BACKUP, RESTORE, Failure

_N = r'(?:"([^"]+)"|(\S+))'
OF_RIGHTS = (
    Failure(
        "role",
        rf"role {_N} does not exist",
        "the role {0} does not exist on this server",
        'CREATE ROLE "{0}" NOLOGIN',
        states=("42704",),
    ),
    Failure(
        "owner",
        rf"must be (?:a )?member of role {_N}$|must be able to SET ROLE {_N}$",
        "the owner is {0}, and {role} is not a member of {0}",
        "{owner}",
        states=("42501",),
    ),
    Failure(
        "default privileges",
        r"permission denied to change default privileges",
        "the default privileges belong to {maker}, and {role} is not a member of {maker}",
        "{maker_way}",
        states=("42501",),
    ),
    Failure(
        "extension by an administrator",
        r'permission denied to create extension "(.+)"',
        "only a superuser may create the extension, and {role} is not a superuser",
        "CREATE EXTENSION {0}   in the database template1 of that server, so that new databases have it",
        states=("42501",),
    ),
    Failure(
        "publication of all",
        r"must be superuser to create (FOR (?:ALL )?TABLES.*) publication",
        "only a superuser may publish {0}, and {role} is not a superuser",
        "DROP {object}; CREATE {object} FOR TABLE …   on production: the owner may list the tables   "
        "(or ALTER ROLE {role} SUPERUSER)",
        BACKUP,
        ("42501",),
    ),
    Failure(
        "event trigger",
        r"permission denied to create event trigger .*",
        "only a superuser may create the event trigger, and {role} is not a superuser",
        "ALTER ROLE {role} SUPERUSER   (or DROP {object}   on production, make a new backup, and after a rollback   "
        "{statement})",
        states=("42501",),
    ),
    Failure(
        "subscription",
        r"(?:permission denied to create|must be superuser to create) subscriptions?",
        "{role} may not create subscriptions",
        "GRANT pg_create_subscription TO {role}   (before PostgreSQL 16: ALTER ROLE {role} SUPERUSER)",
        states=("42501",),
    ),
    Failure(
        "extension of one database",
        r"can only create extension in database (.+)",
        "its setting allows the extension in the database {0} only, so a restored database cannot have it",
        "move the extension to the database postgres   (pg_cron: cron.database_name, and cron.schedule_in_database)",
        BACKUP,
    ),
    Failure(
        "superuser",
        r"must be superuser.*"
        r"|permission denied to (?:alter|add|create (?:foreign-data wrapper|cast|access method|language)).*",
        "only a superuser may do that, and {role} is not a superuser",
        "ALTER ROLE {role} SUPERUSER   (or remove the object from production, and make a new backup)",
        states=("42501",),
    ),
    Failure(
        "tablespace",
        rf"tablespace {_N} does not exist",
        "the tablespace {0} does not exist",
        'CREATE TABLESPACE "{0}" LOCATION …; GRANT CREATE ON TABLESPACE "{0}" TO {role}',
        states=("42704",),
    ),
    Failure(
        "right to a tablespace",
        rf"permission denied for tablespace {_N}",
        "{role} has no right to create objects in the tablespace {0}",
        'GRANT CREATE ON TABLESPACE "{0}" TO {role}',
        states=("42501",),
    ),
    Failure(
        "granted by another",
        r'permission denied to set session authorization.*',
        "{grantors} granted a right on the object, and only a superuser can restore the right of another grantor",
        "{granted_anew}   on production   (or ALTER ROLE {role} SUPERUSER)",
        BACKUP,
        ("42501",),
        tool=RESTORE,
    ),
    Failure(
        "leakproof",
        r"only superuser can define a leakproof function",
        "only a superuser may create a leakproof function, and {role} is not a superuser",
        "ALTER {object} NOT LEAKPROOF   on production   (or ALTER ROLE {role} SUPERUSER)",
        BACKUP,
        ("42501",),
    ),
    Failure(
        "setting of an administrator",
        r'permission denied to set parameter "(.+)"',
        "only an administrator may set {0}",
        "GRANT SET ON PARAMETER {0} TO {role}   (before PostgreSQL 15: ALTER {object} RESET {0}   on production)",
        states=("42501",),
    ),
    Failure(
        "language of an administrator",
        r"permission denied for language (.+)",
        "only a superuser may create functions in {0}, and {role} is not a superuser",
        "ALTER ROLE {role} SUPERUSER   (or DROP {object}   on production, and make a new backup)",
        states=("42501",),
        tool=RESTORE,
    ),
    Failure(
        "right on the server's own",
        r"permission denied for (.+)",
        "{0} is a system object, and only an administrator may grant or revoke a right on it",
        "{reversed}   on production, as an administrator   (and after a rollback   {statement})",
        BACKUP,
        ("42501",),
        tool=RESTORE,
        command=r"(?:GRANT|REVOKE) .* ON (?:\w+ )?(?:pg_catalog|information_schema)\.",
    ),
    Failure(
        "foreign-data wrapper",
        rf"permission denied for foreign-data wrapper {_N}",
        "{heir} may not own a server of the foreign-data wrapper {0}",
        "GRANT USAGE ON FOREIGN DATA WRAPPER {0} TO {heir}   (also in template1, if template1 has the wrapper)",
        states=("42501",),
        tool=RESTORE,
    ),
    Failure(
        "right",
        r"(?:permission denied for|must be owner of) (.+)",
        "{role} has no right to {0}",
        "make {role} the owner of {0}, or a member of the owner   (docs/how-to/rights.md)",
        states=("42501",),
    ),
)
