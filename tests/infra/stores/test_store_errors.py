"""The suite over every kind of store ends: whoever is not let in, finds nothing there or hears nothing is told so by
every call, in a line, with what to type."""

from __future__ import annotations

import base64
import inspect
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ops.core.errors import Unreachable
from ops.infra.stores.base import AnyStore
from ops.infra.stores.open import store_at
from tests.support.stores.places import HOSTS, SSH, Place

KEY, SAS = "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN"
OTHER = base64.b64encode(b"no such key, but one of its shape").decode()
# Where no machine of Azure's tells who it is.
NOBODY = {KEY: "", "AZURE_MSI_ENDPOINT": "http://127.0.0.1:1/metadata/identity/oauth2/token"}
AWS, GOOGLE, AZURE = (f"export {name}" for name in ("AWS_ACCESS_KEY_ID=…", "GOOGLE_APPLICATION_", "AZURE_STORAGE_A"))
MAKE, LOOK = "create it, or correct `store:`", "check the store's address"


@dataclass(frozen=True)
class Wrong:
    """What is wrong, what is said of it, and what to type.

    Args:
        kind: of the store.
        env: variables; an empty one is not there.
        url: the store's address, where that is wrong.
        lost: what a user of SSH has no more in ``~/.ssh``.
        shy: an answer without a body tells less, so some calls find nothing there.
    """

    kind: str
    said: str
    hint: str
    env: dict[str, str] = field(default_factory=dict)
    url: str = ""
    lost: str = ""
    shy: bool = False


WRONGS = {
    "s3 bucket": Wrong("s3", "the bucket does not exist", MAKE, url="s3://no-such-bucket/kept", shy=True),
    "s3 key": Wrong("s3", "the access key is unknown to the store", AWS, {"AWS_ACCESS_KEY_ID": "other"}),
    "gs bucket": Wrong("google", "the bucket does not exist", MAKE, url="gs://no-such-bucket/kept", shy=True),
    "gs token": Wrong("google", "access is denied", GOOGLE, {"GOOGLE_BEARER_TOKEN": "other"}),
    "az container": Wrong("azure", "the container does not exist", MAKE, url="az://no-such-container/kept", shy=True),
    "az wrong key": Wrong("azure", "access is denied: the key or signature is wrong", AZURE, {KEY: OTHER}),
    "az no base64": Wrong("azure", f"{KEY} is not an access key (base64)", AZURE, {KEY: "nonsense!"}),
    "az no account": Wrong(
        "azure", "the environment has no account", AZURE, {"AZURE_STORAGE_ACCOUNT_NAME": ""}
    ),
    "az no key": Wrong("azure", f"the environment has no access key ({KEY} or {SAS})", AZURE, NOBODY),
    "az no signature": Wrong("azure", f"{SAS} is not a shared access signature", AZURE, {KEY: "", SAS: "nonsense"}),
    "ssh unknown": Wrong(SSH, "is unknown, so the host cannot be verified", "ssh -p ", lost="known_hosts"),
    "ssh key": Wrong(SSH, "the host accepts none of your SSH keys", "ssh -p ", lost="id_ed25519"),
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked a second time, and a host is waited for no longer than a moment."""
    monkeypatch.setattr("ops.infra.stores.object_store.QUICK", (10, 0))
    monkeypatch.setattr("ops.infra.stores.object_store.PATIENT", (10, 0))
    monkeypatch.setattr("ops.infra.transport.ssh.PATIENCE", 5)


def calls(store: AnyStore, folder: Path) -> dict[str, Callable[[], object]]:
    """What is asked of a store; those that may find nothing where an answer tells less come last."""
    (folder / "in").write_bytes(b"x")

    return {
        "listed": lambda: store.listed("shop/"),
        "put": lambda: store.put("shop/a", folder / "in"),
        "swap": lambda: store.swap("shop/a", b"x", ""),
        "read": lambda: store.read("shop/a"),
        "get": lambda: store.get("shop/a", folder / "out", 5),
        "sha256": lambda: store.sha256("shop/a", 5),
        "delete": lambda: store.delete(["shop/a"]),
        "tag": lambda: store.tag("shop/a"),
    }


def said(store: AnyStore, folder: Path) -> dict[str, Unreachable | object]:
    """What each call says; all at once."""

    def ask(call: Callable[[], object]) -> Unreachable | object:
        try:
            return call()
        except Unreachable as error:
            return error

    asked = calls(store, folder)
    with ThreadPoolExecutor(len(asked)) as pool:
        return dict(zip(asked, pool.map(ask, asked.values()), strict=True))


@pytest.mark.parametrize("name", WRONGS)
def test_who_is_not_let_in_or_finds_nothing_is_told_so_by_every_call(
    place_of: Callable[[str], Place], impatient: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    wrong = WRONGS[name]
    place = place_of(wrong.kind)
    for variable, value in wrong.env.items():
        monkeypatch.setenv(variable, value) if value else monkeypatch.delenv(variable, raising=False)
    if wrong.lost:
        (Path(place.env["HOME"]) / ".ssh" / wrong.lost).unlink()
    url = wrong.url or place.url
    found = said(store_at(url), tmp_path)
    for call in ("tag", "delete"):
        answer = found.pop(call)
        if not wrong.shy:
            assert isinstance(answer, Unreachable) and "\n" not in answer.message
            assert answer.message.startswith(f"{url}: ") and answer.hint.startswith(wrong.hint)
    for call, error in found.items():
        assert isinstance(error, Unreachable), f"{call}: {error}"
        assert error.message.startswith(f"{url}: ") and wrong.said in error.message, error.message
        assert "\n" not in error.message and error.hint.startswith(wrong.hint), f"{call}: {error.hint}"


@pytest.mark.parametrize("why", ["away", "silent"])
def test_a_server_that_is_away_or_silent_is_said_in_a_line(
    lined: Place, impatient: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, why: str
) -> None:
    if why == "silent":
        monkeypatch.setattr("ops.infra.stores.object_store.QUICK", (1, 0))
        monkeypatch.setattr("ops.infra.stores.object_store.PATIENT", (1, 0))
        monkeypatch.setattr("ops.infra.transport.ssh.PATIENCE", 0.2)
    lined.line.cut, lined.line.mute = why == "away", why == "silent"
    ssh = lined.kind not in ("s3", "azure", "google")
    for call, error in said(lined.store, tmp_path).items():
        assert isinstance(error, Unreachable), f"{call}: {error}"
        words = "no connection: " if ssh else "the store does not answer"
        assert error.message.startswith(f"{lined.url}: ") and words in error.message, error.message
        assert "\n" not in error.message
        assert error.hint.startswith(f"ssh -p {lined.line.port} " if ssh else LOOK)


@pytest.mark.xfail(reason="what obstore says when it makes its folder is told as it is", strict=True)
def test_a_mounted_folder_that_can_not_be_made_is_said_in_a_line(
    place_of: Callable[[str], Place], tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("a file in its place")
    for call, error in said(place_of("file").store, tmp_path).items():
        assert isinstance(error, Unreachable) and "\n" not in error.message, f"{call}: {error}"


@pytest.mark.parametrize("kind", HOSTS)
def test_a_file_in_the_place_of_a_folder_there_is_said_in_a_line(place_of: Callable[[str], Place], kind: str) -> None:
    store = place_of(kind).store
    assert store.listed("") == {}
    Path("/" + store.url.split("/", 3)[3]).write_text("a file in its place")
    error, limit = None, sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        store.swap("shop/a", b"x", "")
    except (Unreachable, RecursionError) as caught:
        # What has no end takes minutes to be shown.
        error = caught.with_traceback(None) if isinstance(caught, Unreachable) else None
    sys.setrecursionlimit(limit)
    assert error and "\n" not in error.message
