"""What is handed to an application as one argument: it needs nothing of ours there."""

from __future__ import annotations

import ast

import pytest

from ops.application import inside


@pytest.mark.parametrize("parts", [inside.PROBE, inside.MIGRATE, inside.RENAME])
def test_a_program_imports_nothing_of_ours(parts: tuple[str, ...]) -> None:
    tree = ast.parse(inside.program(parts))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import)]
    names = {one.name for node in found if isinstance(node, ast.Import) for one in node.names}
    names |= {node.module or "" for node in found if isinstance(node, ast.ImportFrom)}
    assert names
    assert not {name for name in names if name.split(".")[0] == "ops"}
