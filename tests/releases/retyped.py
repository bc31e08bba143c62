"""Columns of another type: a wider one loses nothing, one that rounds, cuts or shifts does."""

from __future__ import annotations

from dataclasses import dataclass

from tests.releases.case import Case, altered, bad, either, fine

TYPED = """
CREATE TYPE mood AS ENUM ('gut', 'schlecht', 'egal');
CREATE TABLE thing (id int PRIMARY KEY, small smallint NOT NULL, whole int, big bigint NOT NULL, flag bool NOT NULL,
    bits int NOT NULL, price numeric(8, 2) NOT NULL, exact numeric(30, 20) NOT NULL, weight double precision NOT NULL,
    ratio real NOT NULL, word varchar(20) NOT NULL, long varchar(200) NOT NULL, padded char(8) NOT NULL, body text,
    digits varchar(10) NOT NULL, zeros varchar(10) NOT NULL, day date NOT NULL, naive timestamp NOT NULL,
    aware timestamptz NOT NULL, clock time NOT NULL, took interval NOT NULL, hex char(32) NOT NULL,
    uid uuid NOT NULL, raw text NOT NULL, doc json NOT NULL, feel mood NOT NULL, tags int[] NOT NULL, ip inet NOT NULL,
    blob bytea NOT NULL, mixed varchar(30) NOT NULL, even numeric(8, 2) NOT NULL);
INSERT INTO thing SELECT n, n, CASE WHEN n % 5 > 0 THEN n * 1000 END, n * 1000000, n % 2 = 0, n % 2, n + 0.25 * (n % 4),
    n / 7.0, n * 0.25, n * 0.5, 'Wort ' || n, 'Satz ' || n || repeat(' und', 5 * (n % 10 = 0)::int), 'P' || n,
    CASE WHEN n % 3 > 0 THEN 'Text ' || n END, n::text, lpad(n::text, 4, '0'), date '2026-01-01' + n,
    timestamp '2026-03-28 22:15' + n * interval '1 h', timestamptz '2026-03-28 22:15+00' + n * interval '1 h',
    time '08:00:00.5' + n * interval '1 min', n * interval '90 s', md5(n::text), md5(n::text)::uuid,
    '{"n": ' || n || ', "word": "a"}', ('{"n": ' || n || ', "a": [1, 2]}')::json,
    ('{gut,schlecht,egal}'::text[])[1 + n % 3]::mood, ARRAY[n, n + 1], ('10.0.0.' || n)::inet,
    decode(md5(n::text), 'hex'), 'Wort ' || chr(65 + n % 26), n * 5 FROM generate_series(1, 30) n;
"""


@dataclass(frozen=True)
class Retype:
    """One column's new type, and the expression that makes it."""

    column: str
    type: str
    using: str
    why: str
    rows: int = 0
    before: str = "SELECT 1"
    debatable: bool = False
    schema: str = TYPED


def to(
    column: str,
    type_: str,
    why: str = "every value can be told from the new one",
    using: str = "",
    *,
    rows: int = 0,
    before: str = "SELECT 1",
    debatable: bool = False,
    schema: str = TYPED,
) -> Retype:
    """A column retyped; ``rows`` of it damaged."""
    return Retype(column, type_, using or f"{column}::{type_}", why, rows, before, debatable, schema)  # fmt: skip


FINE = {
    "smallint to int": to("small", "int"),
    "smallint to bigint": to("small", "bigint"),
    "int to bigint": to("whole", "bigint"),
    "int key to bigint": to("id", "bigint"),
    "bigint to int": to("big", "int", "all of them fit"),
    "int to smallint": to("bits", "smallint", "all of them fit"),
    "int to numeric": to("whole", "numeric(12, 2)"),
    "int to float": to("whole", "double precision"),
    "int to text": to("whole", "text", "digits"),
    "bool to int": to("flag", "int"),
    "bool to smallint": to("flag", "smallint", using="flag::int::smallint"),
    "0 and 1 to bool": to("bits", "bool", "there are no other numbers"),
    "bool to text": to("flag", "varchar(5)", "true and false as words"),
    "bool turned round": to("flag", "bool", "a field renamed to its opposite: no value is what it was", "NOT flag",
    rows=30,
                            debatable=True),
    "varchar longer": to("word", "varchar(60)"),
    "varchar to text": to("word", "text"),
    "text to varchar": to("body", "varchar(50)", "none is longer"),
    "varchar shorter, nothing cut": to("word", "varchar(10)", "none is longer"),
    "char to varchar": to("padded", "varchar(8)", "the blanks that char pads with are no content"),
    "char to text": to("padded", "text", "the blanks that char pads with are no content"),
    "numeric with more digits": to("price", "numeric(12, 2)"),
    "numeric with a larger scale": to("price", "numeric(12, 4)"),
    "numeric without a scale": to("price", "numeric"),
    "numeric with a smaller scale, nothing rounded": to("even", "numeric(8, 0)", "all are whole"),
    "numeric to int, nothing rounded": to("even", "int", "all are whole"),
    "numeric to float": to("price", "double precision", "two digits survive the way there and back"),
    "float to numeric": to("weight", "numeric(10, 2)", "quarters have two digits"),
    "float to numeric without a scale": to("weight", "numeric", "quarters have two digits"),
    "real to double": to("ratio", "double precision"),
    "double to real, nothing rounded": to("weight", "real", "quarters are exact"),
    "float to int, nothing rounded": to("whole", "int", "a float that held whole numbers",
                                        schema=TYPED + "ALTER TABLE thing ALTER whole TYPE double precision;"),
    "date to timestamptz": to("day", "timestamptz", "midnight in UTC, as Django's connection is",
    before="SET timezone = 'UTC'"),
    "date to timestamp": to("day", "timestamp"),
    "timestamp to timestamptz in UTC": to("naive", "timestamptz", using="naive AT TIME ZONE 'UTC'"),
    "timestamptz to timestamp in UTC": to("aware", "timestamp", using="aware AT TIME ZONE 'UTC'"),
    "digits to int": to("digits", "int", "without leading zeros"),
    "digits to bigint": to("digits", "bigint", "without leading zeros"),
    "hex to uuid": to("hex", "uuid", "the same 32 digits, as Django writes UUIDField elsewhere"),
    "uuid to text": to("uid", "text"),
    "uuid to hex": to("uid", "char(32)", "the same 32 digits", "replace(uid::text, '-', '')"),
    "text to jsonb": to("raw", "jsonb", "the text is as jsonb prints it"),
    "text to json": to("raw", "json", "json keeps the text as it is"),
    "json to jsonb": to("doc", "jsonb", "no key twice, and spaces mean nothing"),
    "jsonb to json": to("doc", "json", schema=TYPED + "ALTER TABLE thing ALTER doc TYPE jsonb;"),
    "enum to varchar": to("feel", "varchar(20)"),
    "varchar to enum": to("feel", "mood",
    schema=TYPED + "ALTER TABLE thing ALTER feel TYPE varchar(10) USING feel::text;"),
    "int array to bigint array": to("tags", "bigint[]"),
    "int array to text array": to("tags", "text[]", "digits"),
    "varchar to citext": to("mixed", "citext", before="CREATE EXTENSION citext"),
    "inet to text": to("ip", "varchar(39)", "the address, as Django reads it", "host(ip)"),
    "interval to seconds": to("took", "int", "all are whole seconds", "extract(epoch FROM took)::int", debatable=True),
    "time to text": to("clock", "text", "every digit is there"),
    "to a domain": to("word", "short", before="CREATE DOMAIN short AS varchar(20)"),
    "with another collation": to("word", 'varchar(20) COLLATE "C"', using="word"),
    "made NOT NULL": to("body", "text", "ten were NULL and are empty now, and none was empty before",
                        "coalesce(body, '')"),
}  # fmt: skip
BAD = {
    "int with 2 to bool": to("small", "bool", "all above 1 are the same now", "small::int::bool", rows=29),
    "varchar cut to 20": to("long", "varchar(20)", "three have more", "left(long, 20)", rows=3),
    "text cut to 6": to("body", "varchar(6)", "those of two digits: 20 less those that are NULL", "left(body, 6)",
    rows=14),
    "numeric rounded to a smaller scale": to("price", "numeric(8, 1)", ".25 and .75 round, .5 does not", rows=15),
    "numeric rounded to int": to("price", "int", "all but every fourth have cents", rows=23),
    "numeric of 20 digits to float": to("exact", "double precision", "sevenths have more digits; six are kept",
    rows=24),
    "numeric of 20 digits to 10": to("exact", "numeric(30, 10)", "sevenths have more digits", rows=26),
    "float rounded to numeric": to("weight", "numeric(10, 1)", ".25 and .75 round", rows=15),
    "float rounded to int": to("ratio", "int", "halves round", rows=15),
    "timestamp read as Berlin's": to("naive", "timestamptz", "an hour or two earlier; right where they were written so",
                                     "naive AT TIME ZONE 'Europe/Berlin'", rows=30, debatable=True),
    "timestamptz to Berlin's time": to("aware", "timestamp", "an hour or two later than UTC; summer began in between",
                                       "aware AT TIME ZONE 'Europe/Berlin'", rows=30, debatable=True),
    "timestamptz to its day": to("aware", "date", "the hour is gone", "(aware AT TIME ZONE 'UTC')::date", rows=30),
    "time to whole seconds": to("clock", "time(0)", "half seconds", rows=30),
    "date to a timestamp at noon": to("day", "timestamp", "twelve hours that nobody wrote", "day + time '12:00'",
    rows=30,
                                      debatable=True),
    "leading zeros to int": to("zeros", "int", "0007 is another article than 7", rows=30),
    "text that is no number to int": to("mixed", "int", "Wort A is no number", "NULL", rows=30),
    "interval cut to minutes": to("took", "int", "every second has half a minute",
    "(extract(epoch FROM took) / 60)::int",
                                  rows=15, debatable=True),
    "enum label renamed": to("feel", "mood",
    "ten say 'okay' where they said 'egal'; but it is the same value by another "
                             "name", "feel", before="ALTER TYPE mood RENAME VALUE 'egal' TO 'okay'", rows=10,
                             debatable=True),
    "enum by number to text": to("feel", "text", "0, 1, 2 by one position off", "(ARRAY['egal', 'gut', 'schlecht'])["
                                 "1 + id % 3]", rows=30),
    "choices recoded": to("bits", "text", "1 is open, 0 is shut: each can be told; but to be declared",
                          "CASE bits WHEN 1 THEN 'open' ELSE 'shut' END", rows=30, debatable=True),
    "array reversed": to("tags", "int[]", "the order of a list is content", "ARRAY[tags[2], tags[1]]", rows=30),
    "array with other bounds": to("tags", "int[]", "tags[1] is the second of them now",
                                  "('[0:1]=' || tags::text)::int[]", rows=30, debatable=True),
    "array cut": to("tags", "int[]", "the second of each", "tags[1:1]", rows=30),
    "array to its first": to("tags", "int", "the second of each", "tags[1]", rows=30),
    "json to its text without a key": to("doc", "jsonb", "a was dropped", "doc::jsonb - 'a'", rows=30),
    "bytes to base64": to("blob", "text", "another representation is to be declared", "encode(blob, 'base64')", rows=30,
                          debatable=True),
    "citext in lower case": to("mixed", "citext", "equal to citext, but not to a reader", "lower(mixed)::citext",
                               before="CREATE EXTENSION citext", rows=30),
    "text trimmed by char": to("word", "char(6)", "two digits are cut", "left(word, 6)::char(6)", rows=21),
    "bool to int with NULL for false": to("flag", "int", "false is not unknown", "CASE WHEN flag THEN 1 END", rows=15),
    "wide numbers to real": to("big", "real", "multiples of "
                               "64 below 2^30 have 24 bits: nothing is cut", rows=0),
    "int to bigint, and one more": to("whole", "bigint", "24 are not NULL", "whole + 1", rows=24),
    "int to numeric, and a bit more": to("whole", "numeric(12, 2)", "24 are not NULL", "whole + 0.3", rows=24),
}  # fmt: skip
# Changes that turned out to lose nothing are judged as such.
for name in [name for name, how in BAD.items() if not how.rows]:
    FINE[name] = BAD.pop(name)
MOVED = """CREATE TABLE stuff (LIKE thing INCLUDING ALL); ALTER TABLE stuff ALTER {0} DROP NOT NULL;
INSERT INTO stuff TABLE thing; DROP TABLE thing; ALTER TABLE stuff ALTER {0} TYPE {1} USING {2};"""


def retyped() -> list[Case]:
    """Each new type: in the table, in a column renamed, and in a copy of the table."""
    found = []
    for name, how in {**FINE, **BAD}.items():
        bare = f"ALTER TABLE thing ALTER {how.column} DROP NOT NULL;" if how.column != "id" else ""
        alter = f"{how.before}; {bare} ALTER TABLE thing ALTER {how.column} TYPE {how.type} USING {how.using};"
        if not how.rows:
            found.append(fine(f"type: {name}", alter, how.why, schema=how.schema, debatable=how.debatable))
            if how.column != "id":
                renamed = alter + f"ALTER TABLE thing RENAME {how.column} TO other;"
                found.append(
                    fine(f"type: {name}, renamed", renamed, how.why, schema=how.schema, debatable=how.debatable)
                )
            continue
        found.append(
            bad(
                f"type: {name}",
                alter,
                how.why,
                {"thing": altered(how.rows, how.column)},
                schema=how.schema,
                debatable=how.debatable,
            )
        )
        copy = f"{how.before}; " + MOVED.format(how.column, how.type, how.using)
        found.append(
            bad(
                f"type: {name}, copied",
                copy,
                how.why,
                {"thing": either(how.rows, how.column)},
                schema=how.schema,
                debatable=how.debatable,
            )
        )
    return found  # fmt: skip


CASES = retyped()
