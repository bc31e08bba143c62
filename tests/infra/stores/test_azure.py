"""What only a user of Azure meets: a signature, an account, another endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from ops.core.errors import Unreachable
from ops.infra.stores.object_store import Store
from tests.infra.stores.test_store_errors import KEY, SAS
from tests.support.stores import azure
from tests.support.stores.lines import Line


def changed(monkeypatch: pytest.MonkeyPatch, given: Mapping[str, str]) -> None:
    """Variables as given; an empty one is not there."""
    for name, value in given.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)


def test_an_account_that_is_not_there_is_said_in_a_line(
    at_azure: Line, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(monkeypatch, {"AZURE_STORAGE_ACCOUNT_NAME": "other", "AZURE_STORAGE_ENDPOINT": f"{at_azure.url}/other"})
    with pytest.raises(Unreachable, match="the account or container does not exist"):
        Store(f"az://{container}/kept").listed("")


@pytest.mark.parametrize("mark", ["", "?"])
def test_a_signature_does_in_place_of_the_key(
    at_azure: Line, container: str, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    changed(monkeypatch, {KEY: "", SAS: mark + azure.signature(container)})
    store = Store(f"az://{container}/kept")
    tag = store.swap("a", b"one", "")
    assert store.swap("a", b"two", tag) == store.listed("")["a"].tag
    store.delete(["a"])
    assert store.listed("") == {}


@pytest.mark.parametrize("harm", ["read only", "over", "of another container"])
def test_a_signature_that_will_not_do_is_told_and_not_shown(
    at_azure: Line, container: str, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    made = {
        "read only": azure.signature(container, "rl"),
        "over": azure.signature(container, ends=-timedelta(hours=1)),
        "of another container": azure.signature("another"),
    }[harm]
    changed(monkeypatch, {KEY: "", SAS: made})
    with pytest.raises(Unreachable, match="access is denied") as caught:
        Store(f"az://{container}/kept").swap("a", b"one", "")
    assert "sig=" not in caught.value.message and caught.value.hint.startswith("export AZURE_")


@pytest.mark.parametrize("name", ["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"])
def test_another_endpoint_without_tls_is_asked_by_either_name(
    at_azure: Line, container: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ENDPOINT")
    monkeypatch.setenv(name, f"{at_azure.url}/{azure.ACCOUNT}")
    assert Store(f"az://{container}/kept").listed("") == {}


def test_microsofts_own_client_reads_what_was_put(at_azure: Line, azurite: str, container: str) -> None:
    Store(f"az://{container}/kept").swap("shop/a b", b"one", "")
    assert azure.client(azurite, container).download_blob("kept/shop/a b").readall() == b"one"
