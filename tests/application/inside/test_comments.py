"""Comments are no SQL, and what looks like one within a string, a name or a body is none."""

from __future__ import annotations

import pytest

from ops.application.inside.comments import without_comments


@pytest.mark.parametrize(
    ("sql", "left"),
    [
        ("SELECT 1 -- from lesson", "SELECT 1  "),
        ("-- from lesson\r\nSELECT 1", " \r\nSELECT 1"),
        ("SELECT '-- x', '/* x */', 'it''s -- x'", "SELECT '-- x', '/* x */', 'it''s -- x'"),
        ("SELECT '\\' -- x", "SELECT '\\'  "),
        (r"SELECT E'\' -- x', e'\\' -- y", r"SELECT E'\' -- x', e'\\'  "),
        ('SELECT "a -- ""b" /* x */ FROM t', 'SELECT "a -- ""b"   FROM t'),
        ("SELECT /* a /* b */ c */ 1 /* open /* x */", "SELECT   1  "),
        ("SELECT 1 */ 2", "SELECT 1 */ 2"),
        ("SELECT $$ -- x $$, $a$ $$ /* $a$ /* y */", "SELECT $$ -- x $$, $a$ $$ /* $a$  "),
        ("DO $x$ BEGIN -- lesson\nPERFORM '--'; END $x$; -- y", "DO $x$ BEGIN  \nPERFORM '--'; END $x$;  "),
        ("CREATE FUNCTION f() AS $$ /* lesson */ SELECT $1 $$", "CREATE FUNCTION f() AS $$   SELECT $1 $$"),
        ("SELECT a$b$ -- c$b$", "SELECT a$b$  "),
        ("SELECT 'never ends -- x", "SELECT 'never ends  "),
        ("", ""),
    ],
)
def test_what_is_left_of_a_statement(sql: str, left: str) -> None:
    assert without_comments(sql) == left
