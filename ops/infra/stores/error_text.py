"""Explain an object store's error in one line, and say what to type.

The library's messages have many lines and contain the server's answer. The first keyword below that a message contains
decides. Errors of identity services are checked first, since these services are not the store.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_NOBODY = {
    "s3": "the environment has no access key (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)",
    "gs": "the environment has no account (GOOGLE_APPLICATION_CREDENTIALS)",
    "az": "the environment has no access key (AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN)",
}
# Addresses of the identity services of cloud machines.
_IDENTITY = ("169.254.169.254", "computeMetadata", "metadata/identity")
_MISSING = (
    ("NoSuchBucket", "the bucket does not exist"),
    ("ContainerNotFound", "the container does not exist"),
    ("ContainerBeingDeleted", "the container is being deleted"),
    ("ResourceNotFound", "the account or container does not exist"),
)
_SAID = (
    *_MISSING,
    ("Error performing token request", "the access token was refused (client ID, client secret, tenant)"),
    ("AccessDenied", "access is denied to this key"),
    ("InvalidAccessKeyId", "the access key is unknown to the store"),
    ("SignatureDoesNotMatch", "the secret of the access key is wrong"),
    ("Account must be specified", "the environment has no account (AZURE_STORAGE_ACCOUNT_NAME)"),
    ("Invalid Access Key", "AZURE_STORAGE_ACCOUNT_KEY is not an access key (base64)"),
    ("Missing component in SAS", "AZURE_STORAGE_SAS_TOKEN is not a shared access signature"),
    ("KeyBasedAuthenticationNotPermitted", "the account accepts no access keys, but tokens of an identity"),
    ("AuthorizationPermissionMismatch", "access is denied: the key or signature lacks a right"),
    ("AuthorizationFailure", "access is denied: the key or signature is wrong, or the account blocks this network"),
    ("AuthenticationFailed", "access is denied: the key or signature is wrong or expired, or this machine's clock is"),
    ("AccountIsDisabled", "the account is disabled"),
    ("RequestTimeTooSkewed", "this machine's clock is wrong"),
    ("ExpiredToken", "the access token has expired"),
    ("403 Forbidden", "access is denied"),
    ("401 Unauthorized", "access is denied"),
    ("SlowDown", "the store limits the rate of requests"),
    ("ServerBusy", "the store limits the rate of requests"),
    ("No space left", "the disk is full"),
    ("Read-only file system", "the file system is read-only"),
    ("dns error", "the store does not answer: its host name is unknown (DNS)"),
    ("error sending request", "the store does not answer"),
    ("error trying to connect", "the store does not answer"),
    ("timed out", "the store does not answer in time"),
)
_KEYS = {
    "s3": "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_REGION=…   of a key that may read and write it",
    "gs": "export GOOGLE_APPLICATION_CREDENTIALS=FILE   of an account that may read and write it",
    "az": "export AZURE_STORAGE_ACCOUNT_NAME=… AZURE_STORAGE_ACCOUNT_KEY=…  or AZURE_STORAGE_SAS_TOKEN=… for the key",
}


# Errors of the library's TLS about certificates: the cause, and what to type.
_CERTIFICATES = {
    "Expired": ("the store's TLS certificate expired{when}", "renew the certificate of the store's endpoint"),
    "NotValidYet": ("the store's TLS certificate is not valid yet", "check this machine's clock: date -u"),
    "UnknownIssuer": (
        "no authority that this machine trusts issued the store's TLS certificate",
        "export SSL_CERT_FILE=FILE   with the certificate of the issuing authority",
    ),
    "NotValidForName": (
        "the store's TLS certificate is for another name",
        "use the certificate's host name in the store's endpoint (AWS_ENDPOINT_URL, …)",
    ),
}
_CERTIFICATES["BadSignature"] = _CERTIFICATES["UnknownIssuer"]
_UNACCEPTED = "the store's TLS certificate is not accepted"


def _certificate(said: str) -> str:
    """Return the cause of a certificate error; empty if the message is about something else."""
    if not (match := re.search(r"InvalidCertificate\(\s*(\w+?)(?:Context)?\b", said)):
        return ""
    moment = re.search(r"not_after: UnixTime\(\s*(\d+)", said)
    when = f" at {datetime.fromtimestamp(int(moment[1]), UTC):%Y-%m-%d %H:%M} UTC" if moment else ""
    return _CERTIFICATES.get(match[1], (f"{_UNACCEPTED} ({match[1]})", ""))[0].format(when=when)


def meaning(url: str, said: str) -> str:
    """Return the meaning of the library's message in one line."""
    kind = url.partition(":")[0]
    if kind in _NOBODY and any(word in said for word in _IDENTITY):
        return _NOBODY[kind]
    if wrong := _certificate(said):
        return wrong
    for word, meant in _SAID:
        if word in said:
            return meant
    return said.split("\n")[0][:300]


def missing(said: str) -> str:
    """Return the message if the bucket, container or account is missing, not only an object; else ""."""
    return next((meant for word, meant in _MISSING if word in said), "")


def hint(url: str, meant: str) -> str:
    """Return what to type for a meaning: create the bucket, set credentials, or check the address."""
    kind = url.partition(":")[0]
    if kind == "file":
        where = url.removeprefix("file://")
        return f"ls -ld {where}" if "access" in meant else f"df -h {where}   and make the folder writable"
    for begin, way in _CERTIFICATES.values():
        if meant.startswith(begin.format(when="")):
            return way
    if any(meant == said for _, said in _MISSING):
        return "create it, or correct `store:` in the inventory (docs/how-to/stores.md)"
    if any(word in meant for word in ("access", "key", "account")):
        return _KEYS[kind]
    return "check the store's address and the network (docs/how-to/stores.md)"
