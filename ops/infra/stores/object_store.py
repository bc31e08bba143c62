"""A store in S3 or a compatible service, Google Cloud Storage, Azure Blob Storage, or a mounted folder.

The library obstore accesses all of them. The credentials come from the environment (``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, …), never from the inventory. Keys are
``TARGET/backups/ID/…``, ``TARGET/runs/ID/…`` and so on, as in a folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.core.errors import Unreachable
from ops.core.files import arriving
from ops.infra.stores.base import AT_ONCE, Changed, Kept
from ops.infra.stores.error_text import hint, meaning, missing

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

# The size of a piece in bytes; ``AT_ONCE`` pieces are in memory.
PIECE = 8 << 20
# The maximum number of pieces; the limit of S3 is 10,000.
PARTS = 9_000
# Timeouts in seconds of one request and of its retries: for a piece, and for a small file.
PATIENT, QUICK = (300, 60), (10, 5)
ENDPOINTS = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT",
    "GOOGLE_BASE_URL",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_ENDPOINT",
)


class Store:
    """One object store.

    Args:
        url: the inventory's ``store``: ``s3://bucket/prefix``, ``gs://…``, ``az://…`` or ``file:///folder``.
        environ: the environment with the endpoint; the library reads credentials from the process's environment.
    """

    def __init__(self, url: str, environ: Mapping[str, str] = os.environ) -> None:
        self.url = url
        self._plain = any(environ.get(name, "").startswith("http://") for name in ENDPOINTS)
        self._made: dict[tuple[int, int], ObjectStore] = {}

    def listed(self, prefix: str) -> dict[str, Kept]:
        """Return every object below a prefix by its key; see ``AnyStore``."""
        with self._said(prefix):
            batches = self._obs.list(self._store(QUICK), prefix or None)
            return {
                str(one["path"]): Kept(one["size"], _quoted(one["e_tag"] or ""), one["last_modified"])
                for batch in batches
                for one in batch
            }

    def put(self, key: str, path: Path) -> str:
        """Upload a file in pieces, several in parallel."""
        piece = max(PIECE, -(-path.stat().st_size // PARTS))
        with self._said(key):
            done = self._obs.put(self._store(PATIENT), key, path, chunk_size=piece, max_concurrency=AT_ONCE)
        return done["e_tag"] or ""

    def copy(self, source: str, key: str) -> str:
        """Copy an object inside the store; return the copy's tag."""
        with self._said(source):
            self._obs.copy(self._store(PATIENT), source, key)
        return self.tag(key)

    def swap(self, key: str, content: bytes, tag: str) -> str:
        """Write a small object if its tag is unchanged; see ``AnyStore``.

        If a store does not support conditions, compare the tag immediately before the write.
        """
        errors = self._obs.exceptions
        with self._said(key):
            try:
                mode: Any = self._version(key, tag) if tag else "create"
                done = self._obs.put(self._store(QUICK), key, content, mode=mode)
            except (errors.AlreadyExistsError, errors.PreconditionError):
                # The library retries if an answer was lost, and then conflicts with its own first write.
                there, its_tag = self.read(key)
                if there == content:
                    return its_tag
                raise Changed(f"{self.url}/{key}: was changed by another process") from None
            except (errors.NotSupportedError, NotImplementedError):
                if self.tag(key) != tag:
                    raise Changed(f"{self.url}/{key}: was changed by another process") from None
                done = self._obs.put(self._store(QUICK), key, content)
        return done["e_tag"] or self.tag(key)

    def tag(self, key: str) -> str:
        """Return an object's tag; empty if the object does not exist."""
        with self._said(key):
            try:
                return self._obs.head(self._store(QUICK), key)["e_tag"] or ""
            except FileNotFoundError:
                return ""

    def _version(self, key: str, tag: str) -> dict[str, str]:
        """Return the condition of an overwrite: the tag; for Google also the number of the generation."""
        if not self.url.startswith("gs:"):
            return {"e_tag": tag}
        found = self._obs.head(self._store(QUICK), key)
        if found["e_tag"] != tag:
            raise self._obs.exceptions.PreconditionError("another generation")
        return {"e_tag": tag, "version": found["version"] or ""}

    def read(self, key: str) -> tuple[bytes, str]:
        """Return the content and the tag of a small object.

        Raises:
            Unreachable: the object does not exist, or the store does not answer.
        """
        with self._said(key):
            found = self._obs.get(self._store(QUICK), key)
            return bytes(found.bytes()), found.meta["e_tag"] or ""

    def get(self, key: str, path: Path, size: int) -> None:
        """Download an object in pieces, several in parallel, into a temporary file, and rename the file."""
        with self._said(key), arriving(path) as file, ThreadPoolExecutor(AT_ONCE) as pool:
            handle, starts = file.fileno(), range(0, size, PIECE)
            list(pool.map(lambda start: os.pwrite(handle, self._piece(key, start, size), start), starts))

    def sha256(self, key: str, size: int) -> str:
        """Return an object's sha256 in hex, by reading the object in pieces."""
        digest = hashlib.sha256()
        with self._said(key), ThreadPoolExecutor(AT_ONCE) as pool:
            for content in pool.map(lambda start: self._piece(key, start, size), range(0, size, PIECE)):
                digest.update(content)
        return digest.hexdigest()

    def _piece(self, key: str, start: int, size: int) -> bytes:
        return bytes(self._obs.get_range(self._store(PATIENT), key, start=start, end=min(start + PIECE, size)))

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects in order; a missing object is no error."""
        for key in keys:
            with self._said(key), contextlib.suppress(FileNotFoundError):
                self._obs.delete(self._store(QUICK), key)

    def free(self) -> int | None:
        """Return None: object stores do not report free disk space."""
        return None

    @property
    def _obs(self) -> Any:
        import obstore

        return obstore

    def _store(self, patience: tuple[int, int]) -> ObjectStore:
        if patience not in self._made:
            from obstore.store import from_url

            seconds, again = patience
            client: ClientConfig = {"timeout": f"{seconds}s", "connect_timeout": "5s", "allow_http": self._plain}
            retry: RetryConfig = {"max_retries": 5, "retry_timeout": timedelta(seconds=again)}
            options: dict[str, Any] = {"client_options": client, "retry_config": retry}
            if self.url.startswith("s3:"):
                # The server verifies the checksum of the upload.
                options["config"] = {"checksum_algorithm": "sha256"}
            self._made[patience] = from_url(self.url, **({"mkdir": True} if self.url[:5] == "file:" else options))
        return self._made[patience]

    @contextlib.contextmanager
    def _said(self, key: str) -> Iterator[None]:
        """Translate the library's errors, whose messages have many lines, into Unreachable."""
        try:
            yield
        except FileNotFoundError as error:
            if meant := missing(str(error)):
                raise Unreachable(f"{self.url}: {meant}", hint(self.url, meant)) from None
            raise Unreachable(f"{self.url}/{key}: does not exist in the store", "inv backups") from None
        except self._obs.exceptions.BaseError as error:
            meant = meaning(self.url, str(error))
            raise Unreachable(f"{self.url}: {meant}", hint(self.url, meant)) from None


def _quoted(tag: str) -> str:
    """Return a tag with quotes, which Azure's list omits."""
    return f'"{tag}"' if tag.startswith("0x") else tag
