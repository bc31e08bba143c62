"""What a release and a rollback leave in a store stands on the page of the store's layout."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.documentation.pages import DOCS
from tests.support.project import Project

PARTS = {name: "[^/]+" for name in ("ID", "BACKUP", "MOMENT", "TASK", r"\*")}


def patterns() -> list[str]:
    """Each path of the table as a regular expression; what stands alone is in the folder of the path before it."""
    table = (DOCS / "reference/store-layout.md").read_text("utf-8").split("| path below")[1].split("\n\n")[0]
    found = []
    for row in table.splitlines()[2:]:
        folder = ""
        for path in re.findall(r"`([^`]+)`", row.split("|")[1]):
            path = path if "/" in path.rstrip("/") else folder + path
            folder = path.rstrip("/").rpartition("/")[0] + "/"
            text = re.escape(path) + (".+" if path.endswith("/") else "")
            for name, pattern in PARTS.items():
                text = text.replace(name, pattern)
            found.append(text)
    return found


def test_each_file_of_a_store_stands_in_the_table(scene: Callable[..., Project]) -> None:
    shop = scene("rolled_back")
    store = shop.folder / "backups" / "shop"
    files = [path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file()]
    assert len(files) > 20
    known = patterns()
    left = [file for file in files if not any(re.fullmatch(one, file) for one in known)]
    assert left == [], left
