"""What a user of Azure meets: a key, a signature, what is wrong with them; and a project whose store is there."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from ops.errors import Refused, Unreachable
from ops.store import PIECE, Store
from ops.working_copy import WorkingCopy
from tests.conftest import Project
from tests.stores import azure
from tests.stores.conftest import Line, elsewhere

WRONG = base64.b64encode(b"no such key, but one of its shape").decode()
KEY, SAS = "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN"
# Where no machine of Azure's tells who it is.
NOBODY = {KEY: "", "AZURE_MSI_ENDPOINT": "http://127.0.0.1:1/metadata/identity/oauth2/token"}


def changed(monkeypatch: pytest.MonkeyPatch, given: Mapping[str, str]) -> None:
    """Variables as given; an empty one is not there."""
    for name, value in given.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)


WRONGS = {
    "wrong key": ({KEY: WRONG}, "access is denied: a wrong key or signature"),
    "no base64": ({KEY: "nonsense!"}, f"{KEY} is no access key (base64)"),
    "no account": ({"AZURE_STORAGE_ACCOUNT_NAME": ""}, "there is no account in the environment"),
    "no key": (NOBODY, f"there is no access key in the environment ({KEY} or {SAS})"),
    "no signature": ({KEY: "", SAS: "nonsense"}, f"{SAS} is no shared access signature"),
}


@pytest.mark.parametrize("given, said", WRONGS.values(), ids=WRONGS)
def test_who_is_not_let_in_is_told_in_a_line_by_every_call(
    at_azure: Line, container: str, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    changed(monkeypatch, given)
    store = Store(f"az://{container}/kept")
    for call in (lambda: store.listed(""), lambda: store.swap("a", b"x", ""), lambda: store.read("a")):
        with pytest.raises(Unreachable) as caught:
            call()
        assert caught.value.message.startswith(f"az://{container}/kept: {said}"), caught.value.message
        assert "\n" not in caught.value.message and caught.value.hint.startswith("export AZURE_STORAGE_ACCOUNT_NAME=…")
    # An answer without a body tells less.
    with pytest.raises(Unreachable, match="acce|account") as caught:
        store.tag("a")
    assert "\n" not in caught.value.message
    with pytest.raises(Unreachable), store.growing("a") as take:
        take(bytes(3 * PIECE))


def test_a_container_that_is_not_there_is_said_in_a_line(at_azure: Line) -> None:
    store = Store("az://no-such-container/kept")
    for call in (lambda: store.listed(""), lambda: store.swap("a", b"x", ""), lambda: store.read("a")):
        with pytest.raises(Unreachable) as caught:
            call()
        assert caught.value.message == "az://no-such-container/kept: there is no such container"
        assert "make it" in caught.value.hint


def test_an_account_that_is_not_there_is_said_in_a_line(
    at_azure: Line, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(monkeypatch, {"AZURE_STORAGE_ACCOUNT_NAME": "other", "AZURE_STORAGE_ENDPOINT": f"{at_azure.url}/other"})
    with pytest.raises(Unreachable, match="there is no such account or container"):
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


def test_a_machine_with_only_the_store_and_the_inventory_takes_a_release_back(
    azure_shop: Project, tmp_path: Path
) -> None:
    shop = azure_shop
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert "sent to az://" in done.out
    # What the first one sent is known by the tags that the store lists, so nothing seems to be another's.
    again = shop.inv("status")
    assert again.code == 0 and "another machine" not in again.err, again.err
    other = elsewhere(shop, tmp_path / "elsewhere")
    assert "release" in other.inv("status").out
    shop.query("INSERT INTO lessons_session(title, teacher_id) VALUES ('since', 1)")
    back = other.inv("rollback", "--backup=latest", "--confirm=shop")
    assert back.code == 0, back.out + back.err
    assert shop.query("SELECT count(*) FROM lessons_lesson") == [(1000,)]
    assert "rollback" in shop.inv("status").out
    undone = shop.inv("undo", "--confirm=shop")
    assert undone.code == 0, undone.out + undone.err
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1001,)]
    written = [path.read_bytes() for path in shop.folder.rglob("*") if path.is_file()]
    assert not any(azure.KEY.encode() in content for content in written)
    assert azure.KEY not in done.out + done.err + back.out + back.err


def test_two_machines_do_not_go_on_with_one_run(azure_shop: Project, container: str) -> None:
    shop, store = azure_shop, Store(f"az://{container}/kept")
    assert shop.inv("backup").code == 0
    [key] = [name for name in store.listed("shop/") if name.endswith("/journal.jsonl")]
    folder = shop.folder / ".store/az" / container / "kept/shop/runs" / key.split("/")[2]
    copy = WorkingCopy(store, "shop", folder.parent.parent)
    theirs = store.read(key)[0] + b'{"event": "resumed"}\n'
    store.swap(key, theirs, store.listed("shop/")[key].tag)
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"event": "undoing"}\n')
    with pytest.raises(Refused, match="gone on with on another machine"):
        copy.push(folder.name)
    status = shop.inv("status")
    assert "was written here and on another machine; ours is kept as" in status.err, status.err
    assert (folder / "journal.jsonl").read_bytes() == theirs


def test_of_two_who_resume_one_run_at_once_one_goes_on(azure_shop: Project, tmp_path: Path) -> None:
    shop, inventory = azure_shop, azure_shop.folder / "inventory.yaml"
    keys = "\n          ".join(("retries: 0", "lock_timeout: 1", "freeze: never", "test: shop-test"))
    inventory.write_text(inventory.read_text().replace("test: shop-test", keys, 1))
    with psycopg.connect(shop.production, autocommit=True) as other:
        other.execute("BEGIN; LOCK lessons_lesson IN SHARE MODE")
        assert shop.inv("release", "--confirm=shop").code == 4
    two = [shop, elsewhere(shop, tmp_path / "elsewhere")]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda one: one.inv("resume", "--confirm=shop"), two))
    said = "\n---\n".join(one.out + one.err for one in done)
    assert sorted(one.code for one in done) in ([0, 0], [0, 2], [0, 3]), said
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)], said
    assert "Traceback" not in said and all("done" in one.inv("status").out for one in two)


@pytest.mark.parametrize("wrong", [*WRONGS, "no container", "away", "silent"])
def test_a_backup_is_refused_in_a_line_before_anything_is_dumped(
    azure_shop: Project, container: str, wrong: str
) -> None:
    shop = azure_shop
    given, said = WRONGS.get(wrong, ({}, "it does not answer"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        if wrong == "no container":
            inventory, said = shop.folder / "inventory.yaml", "there is no such container"
            inventory.write_text(inventory.read_text().replace(container, "no-such-container"))
        if wrong in ("away", "silent"):
            port = 1 if wrong == "away" else silent.getsockname()[1]
            given = {"AZURE_STORAGE_ENDPOINT": f"http://127.0.0.1:{port}/{azure.ACCOUNT}"}
        for name, value in given.items():
            shop.env[name] = value
            if not value:
                del shop.env[name]
        began = time.monotonic()
        done = shop.inv("backup")
    assert done.code == 3 and said in done.out and "; nothing was changed\nTry: " in done.out, done.out + done.err
    assert "Traceback" not in done.out + done.err and time.monotonic() - began < 60
    assert not list((shop.folder / ".store").rglob("journal.jsonl"))
