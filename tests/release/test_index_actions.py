"""Which indexes a migration builds concurrently, by its statements."""

from __future__ import annotations

import re

import pytest

from ops.application import inside
from ops.release.index_actions import built, only_indexes, statements


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('CREATE INDEX CONCURRENTLY "lesson_title" ON "lessons_lesson" ("title")', "lesson_title"),
        ("create unique index concurrently if not exists Shop.Lesson_Title on lessons_lesson (title)", "lesson_title"),
        ('CREATE INDEX CONCURRENTLY "a"."We""ird" ON t (x)', 'We"ird'),
        ("CREATE INDEX lesson_title ON lessons_lesson (title)", ""),
        ("DROP INDEX CONCURRENTLY IF EXISTS lesson_title", ""),
    ],
)
def test_the_name_of_an_index_is_read(text: str, name: str) -> None:
    assert built([text]) == ({name} if name else set())


def test_a_migration_that_does_more_is_not_repeated() -> None:
    drop, add = "DROP INDEX CONCURRENTLY a", "ALTER TABLE t ADD COLUMN x int"
    report = {"sql": [{"migration": "a.0001", "statements": ["--\n-- Add index\n--", f"-- x\n{drop};"]}]}
    assert [only_indexes(texts) for _, texts in statements(report)] == [True]
    assert not only_indexes([drop, add]) and not only_indexes([])


def test_statements_that_work_concurrently_are_recognised() -> None:
    text = inside.program(inside.MIGRATE)
    assert "execute_from_command_line" in text and "from ops" not in text
    found = re.search(r'r"(\\s\*\(CREATE.*)"\n.*r"(.*)",', text)
    assert found
    pattern = re.compile(found[1] + found[2], re.I | re.S)
    for yes in (
        "CREATE INDEX CONCURRENTLY a ON t (x)",
        " create unique index concurrently a on t (x)",
        "DROP INDEX CONCURRENTLY IF EXISTS a",
        "REINDEX (VERBOSE) INDEX CONCURRENTLY a",
        "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
    ):
        assert pattern.match(yes), yes
    for no in ("CREATE INDEX a ON t (x)", "UPDATE t SET x = 'CREATE INDEX CONCURRENTLY'", "ALTER TABLE t ADD x int"):
        assert not pattern.match(no), no
