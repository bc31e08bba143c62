"""Random small databases: right migrations in any order are promoted, and one fault after them is refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.releases.case import Case, Operation, bad, fine, op
from tests.releases.harness import Releases, said
from tests.support.examples import examples

pytestmark = pytest.mark.slow

# Not shrunk: an example is small as it is drawn, and each costs two databases.
BOUNDED = settings(
    max_examples=examples(25),
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WORDS = st.text("abö'", max_size=3)


def quoted(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


@st.composite
def schemas(draw: st.DrawFn) -> str:
    """Owners and what links to them; each column tells its rows apart, so that content can prove what moved."""
    owners = draw(st.lists(st.tuples(WORDS, WORDS, st.integers(-9, 9), st.booleans()), min_size=4, max_size=7))
    goods = draw(st.lists(st.tuples(st.integers(0, len(owners) - 1), st.none() | WORDS), min_size=4, max_size=9))
    first = ", ".join(
        f"({n}, {quoted(f'{code} {n}')}, {quoted(f'{note} {n}')}, {size + 20 * n}, {flag})"
        for n, (code, note, size, flag) in enumerate(owners, 1)
    )
    second = ", ".join(
        f"({n}, {1 + owner}, {quoted(label if label is None else f'{label} {n}')}, {n}.25)"
        for n, (owner, label) in enumerate(goods, 1)
    )
    return f"""
CREATE TABLE owner (id int PRIMARY KEY, code varchar(20) NOT NULL, note varchar(20), size int, flag bool NOT NULL);
INSERT INTO owner VALUES {first};
CREATE TABLE good (id int PRIMARY KEY, owner_id int REFERENCES owner, label varchar(20), amount numeric(8, 2));
INSERT INTO good VALUES (100, 1, 'first', 0.5), (101, 2, 'second', 1.5), {second};"""


@dataclass
class Release:
    """What has been migrated so far, and how tables and columns are called by now."""

    owner: str = "owner"
    good: str = "good"
    link: str = "owner_id"
    label: str = "label"
    notes: str = "owner"
    code: str = "code"
    done: list[str] = field(default_factory=list)
    plan: list[Operation] = field(default_factory=list)

    def rename_table(self, new: str) -> None:
        self.done.append(f"ALTER TABLE {self.good} RENAME TO {new};")
        self.plan.append(op("RenameModel", self.good, new_table=new))
        self.good = new

    def rename_column(self, new: str) -> None:
        self.done.append(f"ALTER TABLE {self.good} RENAME {self.label} TO {new};")
        self.plan.append(op("RenameField", self.good, self.label, new_column=new))
        self.label = new

    def rekey(self, new: str) -> None:
        """Copy the owners under other keys, out of the old ones and beyond; every link follows."""
        if self.notes != "owner":
            return
        self.done.append(f"""
            ALTER TABLE {self.good} DROP CONSTRAINT good_owner_id_fkey;
            CREATE TABLE {new} (LIKE {self.owner} INCLUDING ALL);
            INSERT INTO {new} SELECT 8 - id, {self.code}, note, size, flag FROM {self.owner};
            UPDATE {self.good} SET {self.link} = 8 - {self.link}; DROP TABLE {self.owner};
            ALTER TABLE {self.good} ADD CONSTRAINT good_owner_id_fkey FOREIGN KEY ({self.link}) REFERENCES {new};""")
        self.plan += [op("CreateModel", new), op("RunPython", code="copy"), op("DeleteModel", self.owner)]
        self.owner = self.notes = new

    def split(self, new: str) -> None:
        """Carry two columns into a table of one row for each owner."""
        if self.notes != self.owner:
            return
        self.done.append(f"""
            CREATE TABLE {new} (owner_id int PRIMARY KEY REFERENCES {self.owner}, note varchar(20), size int);
            INSERT INTO {new} SELECT id, note, size FROM {self.owner};
            ALTER TABLE {self.owner} DROP note, DROP size;""")
        self.plan += [op("CreateModel", new), op("RunPython", code="carry"), op("RemoveField", self.owner, "note"),
                      op("RemoveField", self.owner, "size")]  # fmt: skip
        self.notes = new

    def widen(self, new: str) -> None:
        self.done.append(f"ALTER TABLE {self.owner} ALTER {self.code} TYPE text;"
                         f"ALTER TABLE {self.good} ALTER amount TYPE numeric(12, 2), ALTER id TYPE "
                         f"bigint;")  # fmt: skip
        self.plan += [op("AlterField", self.owner, self.code), op("AlterField", self.good, "amount")]


STEPS = ["rename_table", "rename_column", "rekey", "split", "widen"]
FAULTS = {
    "a row deleted": "DELETE FROM {0.good} WHERE id = 100;",
    "a value changed": "UPDATE {0.good} SET amount = amount + 0.01 WHERE id = 100;",
    "a value gone": "UPDATE {0.good} SET {0.label} = NULL WHERE id = 100;",
    "values exchanged": "UPDATE {0.good} SET {0.label} = CASE id WHEN 100 THEN 'second' ELSE 'first' END WHERE id "
    ">= 100;",
    "links exchanged": "UPDATE {0.good} g SET {0.link} = (SELECT o.{0.link} FROM {0.good} o WHERE o.id = 201 - g.id) "
    "WHERE id >= 100;",
    "a link gone": "UPDATE {0.good} SET {0.link} = NULL WHERE id = 101;",
    "a note of another": "UPDATE {0.notes} SET note = (SELECT max(note) || 'x' FROM {0.notes}) WHERE size > 30 AND "
    "size < 50;",
    "a number off by one": "UPDATE {0.notes} SET size = size + 1 WHERE size > 30 AND size < 50;",
    "texts cut": "UPDATE {0.owner} SET {0.code} = left({0.code}, -1);",
}  # fmt: skip


@st.composite
def releases_of(draw: st.DrawFn, steps: list[str]) -> tuple[str, Release]:
    release = Release()
    for number, step in enumerate(draw(st.lists(st.sampled_from(steps), min_size=1, max_size=4, unique=True))):
        getattr(release, step)(f"new_{number}")
    return draw(schemas()), release


def refusals(releases: Releases, case: Case) -> dict[str, dict[str, int]]:
    return {table.table: said(table) for table in releases.verdict(case).refused}


@pytest.mark.parametrize(
    "steps", [["rename_table", "rename_column", "widen"], STEPS[:3], STEPS], ids=["in place", "re-keyed", "all"]
)
def test_right_migrations_are_promoted(steps: list[str], releases: Releases) -> None:
    @BOUNDED
    @given(releases_of(steps))
    def check(drawn: tuple[str, Release]) -> None:
        schema, release = drawn
        case = fine("right", "".join(release.done), "each step keeps all", schema=schema, plan=release.plan)
        assert refusals(releases, case) == {}

    check()


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_is_refused(fault: str, releases: Releases) -> None:
    @settings(BOUNDED, max_examples=examples(10))
    @given(releases_of(STEPS))
    def check(drawn: tuple[str, Release]) -> None:
        schema, release = drawn
        plan = [*release.plan, op("RunPython", code=fault)]
        migration = "".join(release.done) + FAULTS[fault].format(release)
        found = refusals(releases, bad("wrong", migration, fault, None, schema=schema, plan=plan))
        assert sum(sum(table.values()) for table in found.values()) >= 1

    check()
