"""What a backup does not hold is said where the person looks: in the step's line."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Project


def test_a_backup_says_what_is_no_part_of_it(project: Callable[..., Project]) -> None:
    made = project("b")
    made.query("CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw")
    for name in ("near", "far"):
        made.query(f"CREATE FOREIGN TABLE {name} (v text) SERVER files OPTIONS (filename '/nowhere')")
    made.query("SELECT lo_from_bytea(0, 'content')")
    done = made.inv("clone-prod-to-test", "--json")
    assert done.code == 0, done.err
    said = " ".join(str(event.get("detail", "")) for event in done.events if event.get("step") == "backup.seal")
    assert "the rows of a foreign table are no part of a dump: public.far, public.near" in said
    assert "1 large object," in said
