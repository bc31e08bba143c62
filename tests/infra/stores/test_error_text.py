"""What the library says of a store, in a line; as it was seen, but for the clouds that were never asked."""

from __future__ import annotations

import ssl
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import obstore
import pytest
from obstore.store import from_url

from ops.infra.stores.error_text import hint, meaning, missing
from tests.support.certificates import EXPIRED, HOST, VALID, Authority
from tests.support.stores.s3 import keys

TOLD = {
    "s3 nobody": (
        "s3://b",
        "Error performing PUT http://169.254.169.254/latest/api/token\n - HTTP error: error sending request",
        "the environment has no access key (AWS_ACCESS_KEY_ID",
        "export AWS_ACCESS_KEY_ID=",
    ),
    "gs nobody": (
        "gs://b",
        "Error performing GET http://169.254.169.254/computeMetadata/v1/x - 403 Forbidden: denied",
        "the environment has no account (GOOGLE_APPLICATION_CREDENTIALS)",
        "export GOOGLE_APPLICATION_CREDENTIALS=",
    ),
    "az nobody": (
        "az://b",
        "Error performing token request: Error performing GET http://169.254.169.254/metadata/identity/oauth2/token",
        "the environment has no access key (AZURE_STORAGE_ACCOUNT_KEY",
        "export AZURE_STORAGE_ACCOUNT_NAME=",
    ),
    "az identity": (
        "az://b",
        "Error performing token request: Error performing POST https://login/t/oauth2/v2.0/token - 401 Unauthorized",
        "the access token was refused",
        "export AZURE_STORAGE_ACCOUNT_NAME=",
    ),
    "az name": (
        "az://b",
        "error sending request\nConnectError(\n'dns error'",
        "the store does not answer: its host name is unknown (DNS)",
        "check the store's address",
    ),
    "az busy": ("az://b", "503\n<Code>ServerBusy</Code>", "the store limits the rate", "check the store's address"),
    "bucket": (
        "s3://b",
        "404\n<Code>NoSuchBucket</Code>",
        "the bucket does not exist",
        "create it, or correct `store:`",
    ),
    "folder full": ("file:///srv/b", "Generic: No space left on device", "the disk is full", "df -h /srv/b"),
    "not known": ("az://b", "something new\nover lines", "something new", "check the store's address"),
}


@pytest.mark.parametrize("url, said, meant, typed", TOLD.values(), ids=TOLD)
def test_what_is_meant_is_told_in_a_line_with_what_to_type(url: str, said: str, meant: str, typed: str) -> None:
    found = meaning(url, said)
    assert found.startswith(meant) and "\n" not in found
    assert hint(url, found).startswith(typed)


def test_an_object_that_is_missing_is_not_its_container() -> None:
    assert missing("404 Not Found:\n<Code>BlobNotFound</Code>") == ""
    assert missing("404 Not Found:\n<Code>ContainerNotFound</Code>") == "the container does not exist"


@pytest.mark.parametrize(
    ("valid", "trusted", "meant", "typed"),
    [
        (EXPIRED, True, "the store's TLS certificate expired at 20", "renew the certificate"),
        (VALID, False, "no authority that this machine trusts issued", "export SSL_CERT_FILE="),
    ],
    ids=["expired", "unknown"],
)
def test_a_certificate_that_is_not_accepted_is_no_store_that_does_not_answer(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    valid: tuple[timedelta, timedelta],
    trusted: bool,
    meant: str,
    typed: str,
) -> None:
    (tmp_path / "other").mkdir()
    authority, other = Authority(tmp_path), Authority(tmp_path / "other")
    server = ThreadingHTTPServer((HOST, 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("store", *valid))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in keys(f"https://{HOST}:{server.server_port}").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SSL_CERT_FILE", str((authority if trusted else other).file))
    try:
        with pytest.raises(obstore.exceptions.BaseError) as error:
            list(obstore.list(from_url("s3://backups", retry_config={"max_retries": 0})))
    finally:
        server.shutdown()
        server.server_close()
    found = meaning("s3://backups", str(error.value))
    assert found.startswith(meant) and hint("s3://backups", found).startswith(typed)
