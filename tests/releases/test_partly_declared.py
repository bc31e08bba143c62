"""Most values of a column are somewhere else, and the rest is declared lost: only the rest counts, then and later."""

from __future__ import annotations

import pytest

from ops.verdict.expect.expectations import Expectation, Expectations
from ops.verdict.expect.expectations_match import Declared, declare
from ops.verdict.model import Verdict
from tests.releases.case import fine, op
from tests.releases.counts import EVENTS, parts
from tests.releases.harness import Releases

SCHEMA = """
CREATE TABLE article (id int PRIMARY KEY, title text NOT NULL, text text);
INSERT INTO article SELECT n, 'Title ' || n, 'Text ' || n FROM generate_series(1, 100) n;
"""
BACK = """
CREATE TABLE note (id int PRIMARY KEY, article_id int NOT NULL REFERENCES article, text text NOT NULL);
INSERT INTO note SELECT id + 500, {0}, text FROM article WHERE id > {1};
ALTER TABLE article DROP text;
"""
FORWARD = """
CREATE TABLE note (id int PRIMARY KEY, text text NOT NULL); ALTER TABLE article ADD note_id int REFERENCES note;
INSERT INTO note SELECT id + 500, text FROM article WHERE id > {1};
UPDATE article SET note_id = {0} + 500 WHERE id > {1};
ALTER TABLE article DROP text;
"""
INTO_ROW = """ALTER TABLE article ADD body text; UPDATE article SET body = text WHERE id > {1};
ALTER TABLE article DROP text;"""
PLAN = [op("CreateModel", "note"), op("RunPython", code="article note text body"), op("RemoveField", "article", "text")]
MIGRATION = "shop.0002_notes"


def judged(releases: Releases, migration: str) -> Verdict:
    return releases.verdict(fine("partly", migration, "declared", schema=SCHEMA, plan=PLAN))


def declared(verdict: Verdict, lost: int) -> Declared:
    entry = Expectation(MIGRATION, ("public", "article"), "text", {"lost": lost}, "agreed", "migrations.expect.yaml:2")
    return declare(verdict, Expectations((entry,)), [MIGRATION], [])


@pytest.mark.parametrize("shape", [BACK, FORWARD, INTO_ROW], ids=["back", "forward", "row"])
def test_only_what_is_unaccounted_for_counts(shape: str, releases: Releases) -> None:
    verdict = judged(releases, shape.format("id", 3))
    (article,) = verdict.refused
    assert [(c.column, c.lost, c.changed) for c in article.columns if c.lost or c.changed] == [("text", 3, 0)]
    held = declared(verdict, 3)
    assert (held.objections, held.left.refused) == ([], [])
    assert releases.on_production(verdict, held.allowed) == []


@pytest.mark.parametrize("shape", [BACK, FORWARD], ids=["back", "forward"])
def test_what_production_loses_beyond_that_is_refused(shape: str, releases: Releases) -> None:
    """Production lost four where the rehearsal lost three."""
    verdict = judged(releases, shape.format("id", 3))
    allowed = declared(verdict, 3).allowed
    judged(releases, shape.format("id", 4))
    (said,) = releases.on_production(verdict, allowed)
    assert "4 rows of public.article are missing" in said and "the declared limit is 3" in said


@pytest.mark.parametrize(
    ("values", "lost"), [(("id", 4), 4), (("id % 100 + 1", 3), 100)], ids=["one more", "to the next one's"]
)
def test_more_than_declared_is_refused(values: tuple[str, int], lost: int, releases: Releases) -> None:
    verdict = judged(releases, BACK.format(*values))
    held = declared(verdict, 3)
    assert f"{lost:,} values lost, at most 3 are declared" in held.objections[0]


@pytest.mark.parametrize("rehearsed", ["WHERE id > 3", ""], ids=["some", "none"])
def test_rows_that_were_divided_are_held_but_for_those_declared_lost(rehearsed: str, releases: Releases) -> None:
    """Production lost the declared three rows, and then changed ten notes, too."""
    verdict = releases.verdict(fine("divided", parts(rows=rehearsed), "declared", schema=EVENTS))
    entry = Expectation(MIGRATION, ("public", "event"), "", {"lost": "7 %"}, "agreed", "migrations.expect.yaml:2")
    held = declare(verdict, Expectations((entry,)), [MIGRATION], [])
    assert (held.objections, held.left.refused) == ([], [])
    releases.verdict(fine("divided", parts(rows="WHERE id > 3"), "as declared", schema=EVENTS))
    assert releases.on_production(verdict, held.allowed) == []
    changed = parts("CASE WHEN id BETWEEN 11 AND 20 THEN 'x' ELSE note END", "WHERE id > 3")
    releases.verdict(fine("divided", changed, "not as rehearsed", schema=EVENTS))
    (said,) = releases.on_production(verdict, held.allowed)
    assert "13 rows of public.event are missing" in said and "the declared limit is 3" in said


COSTS = """
CREATE TABLE product (id int PRIMARY KEY, name char(9), cost {0}, weight {0}, code varchar(9));
INSERT INTO product SELECT n, 'P' || n, (CASE WHEN n % 50 = 0 THEN n + 0.1234 ELSE n * 0.25 END)::{0}, n * 1.5,
    'C' || n FROM generate_series(1, 120) n;
"""
CHEAPER = """
ALTER TABLE product ALTER cost TYPE {1}, ALTER weight TYPE {1}, ALTER name TYPE char(12), ALTER code TYPE text;
"""
SCALES = [("numeric(12,4)", "numeric(12,2)"), ("numeric", "numeric(12,2)"), ("numeric(12,4)", "numeric(9,3)")]


@pytest.mark.parametrize(("old", "new"), SCALES)
def test_numbers_of_another_scale_beside_declared_ones_are_the_same(old: str, new: str, releases: Releases) -> None:
    """Two values are rounded, as declared; the others are written with fewer digits."""
    verdict = releases.verdict(fine("cheaper", CHEAPER.format(old, new), "declared", schema=COSTS.format(old)))
    entry = Expectation(MIGRATION, ("public", "product"), "cost", {"changed": 2}, "agreed", "migrations.expect.yaml:2")
    held = declare(verdict, Expectations((entry,)), [MIGRATION], [])
    assert (held.objections, held.left.refused, releases.on_production(verdict, held.allowed)) == ([], [], [])
    more = CHEAPER.format(old, new) + "UPDATE product SET weight = 0 WHERE id = 7;"
    releases.verdict(fine("cheaper", more, "not as rehearsed", schema=COSTS.format(old)))
    assert len(releases.on_production(verdict, held.allowed)) == 1


TAGGED = """
CREATE TABLE product (id int PRIMARY KEY, labels text[] NOT NULL);
INSERT INTO product SELECT n,
    CASE WHEN {0} THEN '{{red,blue}}' WHEN n % 4 = 1 THEN '{{blue}}' ELSE '{{blue,red}}' END::text[]
    FROM generate_series(1, 120) n;
"""
LABELS = """
CREATE TABLE tag (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE product_tags (id serial PRIMARY KEY, product_id int NOT NULL REFERENCES product,
    tag_id int NOT NULL REFERENCES tag);
INSERT INTO tag (name) VALUES ('blue'), ('red');
INSERT INTO product_tags (product_id, tag_id) SELECT p.id, t.id FROM product p JOIN tag t ON t.name = ANY (labels)
    {0} ORDER BY p.id, t.name;
ALTER TABLE product DROP labels;
"""
TAGGING = [
    op("CreateModel", "tag"), op("RunSQL", code="product labels tag name"), op("RemoveField", "product", "labels")
]  # fmt: skip


def tagged(releases: Releases, unordered: str, where: str = "") -> Verdict:
    schema = TAGGED.format(unordered)
    return releases.verdict(fine("tags", LABELS.format(where), "declared", schema=schema, plan=TAGGING))


@pytest.mark.parametrize("unordered", ["n % 6 = 0", "false"], ids=["some", "none"])
def test_lists_that_lost_their_order_as_declared_are_held_row_by_row(unordered: str, releases: Releases) -> None:
    """No row is lost, so the comparison of the lists looks complete. Production has a sixth in another order."""
    verdict = tagged(releases, unordered)
    amounts = {"lost": "21 %"}
    entry = Expectation(MIGRATION, ("public", "product"), "labels", amounts, "agreed", "migrations.expect.yaml:2")
    held = declare(verdict, Expectations((entry,)), [MIGRATION], [])
    assert (held.objections, held.left.refused) == ([], [])
    tagged(releases, "n % 6 = 0")
    assert releases.on_production(verdict, held.allowed) == []
    tagged(releases, "n % 6 = 0", "WHERE p.id > 10")
    (said,) = releases.on_production(verdict, held.allowed)
    assert "29 rows of public.product are missing" in said and "the declared limit is 26" in said
