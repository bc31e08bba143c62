"""Which texts are values of a type, on servers that can be asked and on older ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ops.verdict.type_casts import SPELLED, castable
from tests.support.client import Client

TEXTS = {
    "jsonb": ['{"a": 1}', " [1, 2]\n", '"text"', "12", "-1.5", "true", "null", "n/a", "", "-", "none", "a: 1", "NULL"],
    "uuid": ["6f9619ff-8b86-d011-b42d-00cf4fc964ff", "{6F9619FF8B86D011B42D00CF4FC964FF}", "n/a", "", "6f9619ff"],
}


@pytest.mark.parametrize("kind", SPELLED)
def test_an_older_server_tells_the_same_texts_apart(client: Client, shared: Callable[..., str], kind: str) -> None:
    newer, older = castable("x", kind)
    with client.connect(shared(kind)) as c:
        if c.info.server_version < 160000:
            pytest.skip("the server cannot be asked")
        query = f"SELECT x, {newer}, {older} FROM unnest(%s::text[]) x"
        found = c.execute(query.encode(), [TEXTS[kind]]).fetchall()
    assert [(text, new) for text, new, _ in found] == [(text, old) for text, _, old in found]
    assert {new for _, new, _ in found} == {True, False}
