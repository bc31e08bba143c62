"""What is released under load: migrations that lose nothing, and planted losses. ``live_…`` are the tables in use."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from random import Random

# What is in use beside the tables of the project: accounts, a history, sessions, a queue, a counter.
TABLES = """
CREATE TABLE live_account (id int PRIMARY KEY, balance numeric(10, 2) NOT NULL DEFAULT 0, name varchar(40));
INSERT INTO live_account SELECT n, n / 4.0, 'Konto ' || n FROM generate_series(1, 2000) n;
CREATE TABLE live_history (id bigserial PRIMARY KEY, account_id int NOT NULL, delta numeric(10, 2),
    at timestamptz DEFAULT now());
INSERT INTO live_history (account_id, delta) SELECT n, 1 FROM generate_series(1, 2000) n;
CREATE TABLE live_session (key text PRIMARY KEY, data text, expires timestamptz);
INSERT INTO live_session SELECT md5(n::text), 'data ' || n, now() + n * interval '1 minute' - interval '1 hour'
    FROM generate_series(1, 2000) n;
CREATE TABLE live_queue (id bigserial PRIMARY KEY, job text);
INSERT INTO live_queue (job) SELECT 'job ' || n FROM generate_series(1, 500) n;
CREATE TABLE live_counter (name text PRIMARY KEY, hits bigint); INSERT INTO live_counter VALUES ('home', 0);
CREATE TABLE live_empty (id bigserial PRIMARY KEY, note text);
"""
LOAD = (
    "UPDATE live_account SET balance = balance + 1 WHERE id = 1 + (random() * 1999)::int",
    "INSERT INTO live_history (account_id, delta) VALUES (1, 1)",
    "INSERT INTO live_session VALUES (md5(random()::text), 'd', now() + interval '1 hour')",
    "DELETE FROM live_session WHERE key = (SELECT key FROM live_session ORDER BY expires LIMIT 1)",
    "INSERT INTO live_queue (job) VALUES ('later')",
    "DELETE FROM live_queue WHERE id = (SELECT min(id) FROM live_queue)",
    "UPDATE live_counter SET hits = hits + 1",
)


@dataclass(frozen=True)
class Case:
    """One release.

    Attributes:
        sql: what the migration runs, or operations of Django where it begins with ``migrations.``.
        lost: a loss is planted; it has to be refused.
        declared: entries of ``migrations.expect.yaml``.
        since: SQL that production sees between the rehearsal and the promotion.
        frozen: the freezes under which the case says anything.
    """

    sql: str
    lost: bool = False
    declared: str = ""
    since: str = ""
    frozen: tuple[str, ...] = ("always", "never")

    def drawn(self, draw: Random) -> Case:
        """Draw how many rows the migration fills or loses: every so many-th, beside the one that is written here."""
        return replace(self, sql=re.sub(r"(?<=id % )\d+", lambda found: str(draw.randint(2, 50)), self.sql))


HERE = "current_database() not like '%_test%'"
CASES = {
    "a column that nothing needs": Case(
        'migrations.AddField("teacher", "room", models.CharField(max_length=9, null=True))'
    ),
    "a column of a table in use, filled": Case(
        "alter table live_account add note text; update live_account set note = 'x' where id % 2 = 0"
    ),
    "an index on a table in use": Case("create index on live_session (expires)"),
    "cents": Case("alter table live_account alter balance type bigint using balance * 100"),
    "sessions copied to a table of their own": Case(
        "create table live_visit as select key, data from live_session; alter table live_visit add primary key (key)"
    ),
    "expired sessions purged, as declared": Case(
        "delete from live_session where expires < now()",
        declared="{table: live_session, lost: all, why: they are expired}",
    ),
    "names in upper case, as declared": Case(
        "update live_account set name = upper(name)",
        declared="{table: live_account, column: name, changed: all, why: as agreed}",
        since="INSERT INTO live_account SELECT n, 1, 'Neu' FROM generate_series(3001, 3011) n",
    ),
    "a history that goes, as declared": Case(
        "drop table live_history", declared="{table: live_history, lost: 5000, why: nobody reads it}"
    ),
    "LOST: some of the history": Case("delete from live_history where id % 50 = 0", lost=True),
    "LOST: names of accounts": Case("update live_account set name = null where id % 9 = 0", lost=True),
    "LOST: a copy of a part": Case(
        "create table live_bank as select * from live_account where id > 40; drop table live_account", lost=True
    ),
    "LOST: accounts, on production only": Case(f"delete from live_account where id % 3 = 0 and {HERE}", lost=True),
    "LOST: three of the history, on production only": Case(
        f"delete from live_history where id in (7, 8, 9) and {HERE}", lost=True
    ),
    "LOST: names, on production only": Case(
        f"update live_account set name = 'x' where id % 2 = 0 and {HERE}", lost=True
    ),
    "LOST: more than is declared": Case(
        f"delete from live_history where id <= case when {HERE} then 900 else 40 end",
        lost=True,
        declared="{table: live_history, lost: 5 %, why: the oldest}",
    ),
    "LOST: what was written since": Case(
        "drop table live_empty", lost=True, since="INSERT INTO live_empty (note) VALUES ('hello')"
    ),
}
