"""The migrations that rename a model: what is worked out of fields, and the texts; without a database."""

from __future__ import annotations

from typing import Any, cast

import pytest
from django.db import models

from ops.application.inside.rename_copy import Copy
from ops.cli.scaffold_rename import _texts


def test_other_apps_are_named_in_order() -> None:
    apps = list("kdagcebfhji")
    file = {
        "app": "lessons",
        "role": "rename",
        "path": "0002_x.py",
        "imports": ["from django.db import migrations"],
        "dependencies": [["lessons", "0001_initial"], *([app, "0001_initial"] for app in apps)],
        "parts": {"operations": ["        migrations.RenameModel(),"]},
    }
    (found,) = _texts({"app": "lessons", "old": "Lesson", "new": "Session", "files": [file]})
    assert f"# The links in {', '.join(sorted(apps))} must be there before" in found.text
    compile(found.text, "0002_x.py", "exec")


@pytest.mark.parametrize(
    ("field", "itself"),
    [
        (models.ForeignKey("self", models.CASCADE), True),
        (models.ForeignKey("lessons.session", models.CASCADE), True),
        (models.OneToOneField("lessons.Session", models.CASCADE), True),
        (models.ForeignKey("lessons.Teacher", models.CASCADE), False),
        (models.ForeignKey("other.Session", models.CASCADE), False),
        (models.ForeignKey("self", models.CASCADE, db_constraint=False), False),
        (models.ManyToManyField("self"), False),
        (models.BigIntegerField(), False),
    ],
)
def test_only_a_link_to_its_own_table_is_checked_later(field: Any, itself: bool) -> None:
    made = cast(Any, object.__new__(Copy))
    made.app, made.new = "lessons", "Session"
    assert bool(made._is_self_link(field)) is itself
