"""What an object store's errors mean, in a line, and what to type.

The library's texts run over many lines and hold the server's answer; which of the words below is in one tells what is
meant, the first one wins. Services that are asked for an identity come first: they are not the store.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_NOBODY = {
    "s3": "there is no access key in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)",
    "gs": "there is no account in the environment (GOOGLE_APPLICATION_CREDENTIALS)",
    "az": "there is no access key in the environment (AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN)",
}
# Where a machine in a cloud is told who it is.
_IDENTITY = ("169.254.169.254", "computeMetadata", "metadata/identity")
_MISSING = (
    ("NoSuchBucket", "there is no such bucket"),
    ("ContainerNotFound", "there is no such container"),
    ("ContainerBeingDeleted", "the container is being deleted"),
    ("ResourceNotFound", "there is no such account or container"),
)
_SAID = (
    *_MISSING,
    ("Error performing token request", "the access token was not given (client id, its secret, the tenant)"),
    ("AccessDenied", "access is denied to this key"),
    ("InvalidAccessKeyId", "the access key is not known there"),
    ("SignatureDoesNotMatch", "the secret of the access key is not the right one"),
    ("Account must be specified", "there is no account in the environment (AZURE_STORAGE_ACCOUNT_NAME)"),
    ("Invalid Access Key", "AZURE_STORAGE_ACCOUNT_KEY is no access key (base64)"),
    ("Missing component in SAS", "AZURE_STORAGE_SAS_TOKEN is no shared access signature"),
    ("KeyBasedAuthenticationNotPermitted", "the account takes no access keys; it wants a token of an identity"),
    ("AuthorizationPermissionMismatch", "access is denied: this key or signature lacks a right"),
    ("AuthorizationFailure", "access is denied: a wrong key or signature, or a network that the account shuts out"),
    ("AuthenticationFailed", "access is denied: a wrong key or signature, one that is over, or a wrong clock here"),
    ("AccountIsDisabled", "the account is disabled"),
    ("RequestTimeTooSkewed", "this machine's clock is wrong"),
    ("ExpiredToken", "the access token has expired"),
    ("403 Forbidden", "access is denied"),
    ("401 Unauthorized", "access is denied"),
    ("SlowDown", "it takes no more for now"),
    ("ServerBusy", "it takes no more for now"),
    ("No space left", "it is full"),
    ("Read-only file system", "it is read-only"),
    ("dns error", "it does not answer: its host's name is not known (DNS)"),
    ("error sending request", "it does not answer"),
    ("error trying to connect", "it does not answer"),
    ("timed out", "it does not answer in time"),
)
_KEYS = {
    "s3": "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_REGION=…   of a key that may read and write there",
    "gs": "export GOOGLE_APPLICATION_CREDENTIALS=FILE   of an account that may read and write there",
    "az": "export AZURE_STORAGE_ACCOUNT_NAME=… AZURE_STORAGE_ACCOUNT_KEY=…  or AZURE_STORAGE_SAS_TOKEN=… for the key",
}


# What the library's TLS says of a certificate that it does not accept, with what to type.
_CERTIFICATES = {
    "Expired": ("its TLS certificate expired{when}", "renew the certificate of the store's endpoint"),
    "NotValidYet": ("its TLS certificate is not valid yet", "look at this machine's clock: date -u"),
    "UnknownIssuer": (
        "nobody whom this machine trusts issued its TLS certificate",
        "export SSL_CERT_FILE=FILE   with the certificate of the authority that issued it",
    ),
    "NotValidForName": (
        "its TLS certificate is for another name",
        "let the store's endpoint (AWS_ENDPOINT_URL, …) name the host as the certificate does",
    ),
}
_CERTIFICATES["BadSignature"] = _CERTIFICATES["UnknownIssuer"]
_UNACCEPTED = "its TLS certificate is not accepted"


def _certificate(said: str) -> str:
    """What is wrong with the store's certificate; empty where nothing is said of it."""
    if not (match := re.search(r"InvalidCertificate\(\s*(\w+?)(?:Context)?\b", said)):
        return ""
    moment = re.search(r"not_after: UnixTime\(\s*(\d+)", said)
    when = f" at {datetime.fromtimestamp(int(moment[1]), UTC):%Y-%m-%d %H:%M} UTC" if moment else ""
    return _CERTIFICATES.get(match[1], (f"{_UNACCEPTED} ({match[1]})", ""))[0].format(when=when)


def meaning(url: str, said: str) -> str:
    """What the library's text means for a person, in one line."""
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
    """What is missing where it is more than the object that was asked for; else nothing."""
    return next((meant for word, meant in _MISSING if word in said), "")


def hint(url: str, meant: str) -> str:
    """What to type: make it; or say who we are there, where that is doubted; else a look at it."""
    kind = url.partition(":")[0]
    if kind == "file":
        where = url.removeprefix("file://")
        return f"ls -ld {where}" if "access" in meant else f"df -h {where}   and let it be written"
    for begin, way in _CERTIFICATES.values():
        if meant.startswith(begin.format(when="")):
            return way
    if any(meant == said for _, said in _MISSING):
        return "make it there, or mend `store:` in the inventory (docs/how-to/stores.md)"
    if any(word in meant for word in ("access", "key", "account")):
        return _KEYS[kind]
    return "look at the store's address and the network (docs/how-to/stores.md)"
