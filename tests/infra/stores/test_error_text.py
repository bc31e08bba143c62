"""What the library says of a store, in a line; as it was seen, but for the clouds that were never asked."""

from __future__ import annotations

import pytest

from ops.infra.stores.error_text import hint, meaning, missing

TOLD = {
    "s3 nobody": (
        "s3://b",
        "Error performing PUT http://169.254.169.254/latest/api/token\n - HTTP error: error sending request",
        "there is no access key in the environment (AWS_ACCESS_KEY_ID",
        "export AWS_ACCESS_KEY_ID=",
    ),
    "gs nobody": (
        "gs://b",
        "Error performing GET http://169.254.169.254/computeMetadata/v1/x - 403 Forbidden: denied",
        "there is no account in the environment (GOOGLE_APPLICATION_CREDENTIALS)",
        "export GOOGLE_APPLICATION_CREDENTIALS=",
    ),
    "az nobody": (
        "az://b",
        "Error performing token request: Error performing GET http://169.254.169.254/metadata/identity/oauth2/token",
        "there is no access key in the environment (AZURE_STORAGE_ACCOUNT_KEY",
        "export AZURE_STORAGE_ACCOUNT_NAME=",
    ),
    "az identity": (
        "az://b",
        "Error performing token request: Error performing POST https://login/t/oauth2/v2.0/token - 401 Unauthorized",
        "the access token was not given",
        "export AZURE_STORAGE_ACCOUNT_NAME=",
    ),
    "az name": (
        "az://b",
        "error sending request\nConnectError(\n'dns error'",
        "it does not answer: its host's name is not known (DNS)",
        "look at the store's address",
    ),
    "az busy": ("az://b", "503\n<Code>ServerBusy</Code>", "it takes no more for now", "look at the store's address"),
    "bucket": (
        "s3://b",
        "404\n<Code>NoSuchBucket</Code>",
        "there is no such bucket",
        "make it there, or mend `store:`",
    ),
    "folder full": ("file:///srv/b", "Generic: No space left on device", "it is full", "df -h /srv/b"),
    "not known": ("az://b", "something new\nover lines", "something new", "look at the store's address"),
}


@pytest.mark.parametrize("url, said, meant, typed", TOLD.values(), ids=TOLD)
def test_what_is_meant_is_told_in_a_line_with_what_to_type(url: str, said: str, meant: str, typed: str) -> None:
    found = meaning(url, said)
    assert found.startswith(meant) and "\n" not in found
    assert hint(url, found).startswith(typed)


def test_an_object_that_is_missing_is_not_its_container() -> None:
    assert missing("404 Not Found:\n<Code>BlobNotFound</Code>") == ""
    assert missing("404 Not Found:\n<Code>ContainerNotFound</Code>") == "there is no such container"
