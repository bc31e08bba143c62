"""An object store that keeps backups and runs: S3 and what speaks like it, Google's, Azure's, or a mounted folder.

One library, obstore, reaches all of them. Who we are there comes from the environment, as its own variables say
(``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``, …), never from the inventory.
Keys are ``TARGET/backups/ID/…``, ``TARGET/runs/ID/…`` and so on, as in a folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ops.errors import Refused, Unreachable
from ops.files import arriving

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

# Pieces that are sent and fetched at once, and their bytes: what is in memory at a time.
AT_ONCE, PIECE = 4, 8 << 20
# S3 takes 10,000 parts of an object.
PARTS = 9_000
# Seconds for one request, and for its repetition: of a piece, and of a small file that somebody waits for.
PATIENT, QUICK = (300, 60), (10, 5)
ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "GOOGLE_BASE_URL", "AZURE_STORAGE_ENDPOINT")


@dataclass(frozen=True)
class Kept:
    """One object as the store lists it; ``tag`` changes with its content."""

    size: int
    tag: str
    at: datetime


class Changed(Refused):
    """Somebody else wrote the object meanwhile."""


class AnyStore(Protocol):
    """What every kind of store can do; ``Store`` says it of each."""

    url: str

    def listed(self, prefix: str) -> dict[str, Kept]:
        """Every object below a prefix, by its key."""
        ...

    def put(self, key: str, path: Path) -> str:
        """Send a file whole; gives its tag."""
        ...

    def growing(self, key: str) -> AbstractContextManager[Callable[[bytes], object]]:
        """Gives what takes the next bytes of an object that comes bit by bit."""
        ...

    def swap(self, key: str, content: bytes, tag: str) -> str:
        """Write a small object only where it is still the one that is known; gives its new tag."""
        ...

    def tag(self, key: str) -> str:
        """An object's tag; empty where there is none."""
        ...

    def read(self, key: str) -> tuple[bytes, str]:
        """A small object and its tag."""
        ...

    def get(self, key: str, path: Path, size: int) -> None:
        """Fetch an object into a file that appears whole."""
        ...

    def sha256(self, key: str, size: int) -> str:
        """An object's sha256 in hex."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects, one after the other; one that is gone already is no error."""
        ...

    def free(self) -> int | None:
        """Bytes that it has left; None where it does not tell."""
        ...


def store_at(url: str, environ: Mapping[str, str] = os.environ) -> AnyStore:
    """The store of an address: a folder on a host behind SSH, or an object store."""
    if url.startswith("ssh:"):
        from ops.ssh_store import SshStore

        return SshStore(url)
    return Store(url, environ)


class Store:
    """One store's address, as ``store:`` of the inventory has it.

    Args:
        url: ``s3://bucket/prefix``, ``gs://…``, ``az://…`` or ``file:///folder``.
        environ: where an endpoint is looked up; the library reads the rest from the process's own.
    """

    def __init__(self, url: str, environ: Mapping[str, str] = os.environ) -> None:
        self.url = url
        self._plain = any(environ.get(name, "").startswith("http://") for name in ENDPOINTS)
        self._made: dict[tuple[int, int], ObjectStore] = {}

    def listed(self, prefix: str) -> dict[str, Kept]:
        """Every object below a prefix, by its key; nothing is downloaded.

        Raises:
            Unreachable: the store does not answer, or does not let us.
        """
        with self._said(prefix):
            batches = self._obs.list(self._store(QUICK), prefix or None)
            return {
                str(one["path"]): Kept(one["size"], one["e_tag"] or "", one["last_modified"])
                for batch in batches
                for one in batch
            }

    def put(self, key: str, path: Path) -> str:
        """Send a file whole: in pieces, several at once; no part of it is seen before the last one is there.

        Returns:
            its tag.
        """
        piece = max(PIECE, -(-path.stat().st_size // PARTS))
        with self._said(key):
            done = self._obs.put(self._store(PATIENT), key, path, chunk_size=piece, max_concurrency=AT_ONCE)
        return done["e_tag"] or ""

    @contextlib.contextmanager
    def growing(self, key: str) -> Iterator[Callable[[bytes], object]]:
        """Send what comes bit by bit: gives what takes the next bytes. It is seen once all of it is there."""
        writer = self._obs.open_writer(self._store(PATIENT), key, buffer_size=2 * PIECE, max_concurrency=AT_ONCE)

        def take(content: bytes) -> None:
            with self._said(key, OSError):
                writer.write(content)

        yield take
        with self._said(key, OSError):
            writer.close()

    def swap(self, key: str, content: bytes, tag: str) -> str:
        """Write a small object only where it is still the one that is known.

        Args:
            tag: its tag when it was read or written last; empty where there was none.

        Returns:
            its new tag.

        Raises:
            Changed: it is another one by now.
        """
        errors = self._obs.exceptions
        with self._said(key):
            try:
                mode: Any = {"e_tag": tag} if tag else "create"
                done = self._obs.put(self._store(QUICK), key, content, mode=mode)
            except (errors.AlreadyExistsError, errors.PreconditionError):
                # The library asks again where an answer was lost, and then meets what it wrote itself.
                there, its_tag = self.read(key)
                if there == content:
                    return its_tag
                raise Changed(f"{self.url}/{key}: was written by somebody else meanwhile") from None
            except (errors.NotSupportedError, NotImplementedError):
                if self.tag(key) != tag:
                    raise Changed(f"{self.url}/{key}: was written by somebody else meanwhile") from None
                done = self._obs.put(self._store(QUICK), key, content)
        return done["e_tag"] or self.tag(key)

    def tag(self, key: str) -> str:
        """An object's tag; empty where there is none."""
        try:
            return self._obs.head(self._store(QUICK), key)["e_tag"] or ""
        except FileNotFoundError:
            return ""

    def read(self, key: str) -> tuple[bytes, str]:
        """A small object and its tag.

        Raises:
            Unreachable: it is not there, or the store does not answer.
        """
        with self._said(key):
            found = self._obs.get(self._store(QUICK), key)
            return bytes(found.bytes()), found.meta["e_tag"] or ""

    def get(self, key: str, path: Path, size: int) -> None:
        """Fetch an object into a file that appears whole: under a temporary name, in pieces, several at once."""
        with self._said(key), arriving(path) as file, ThreadPoolExecutor(AT_ONCE) as pool:
            handle, starts = file.fileno(), range(0, size, PIECE)
            list(pool.map(lambda start: os.pwrite(handle, self._piece(key, start, size), start), starts))

    def sha256(self, key: str, size: int) -> str:
        """An object's sha256 in hex, read in pieces."""
        digest = hashlib.sha256()
        with self._said(key), ThreadPoolExecutor(AT_ONCE) as pool:
            for content in pool.map(lambda start: self._piece(key, start, size), range(0, size, PIECE)):
                digest.update(content)
        return digest.hexdigest()

    def _piece(self, key: str, start: int, size: int) -> bytes:
        return bytes(self._obs.get_range(self._store(PATIENT), key, start=start, end=min(start + PIECE, size)))

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects, one after the other; one that is gone already is no error."""
        for key in keys:
            with self._said(key), contextlib.suppress(FileNotFoundError):
                self._obs.delete(self._store(QUICK), key)

    def free(self) -> int | None:
        """Object stores do not tell."""
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
                # The server compares what arrives with what was sent.
                options["config"] = {"checksum_algorithm": "sha256"}
            self._made[patience] = from_url(self.url, **({"mkdir": True} if self.url[:5] == "file:" else options))
        return self._made[patience]

    @contextlib.contextmanager
    def _said(self, key: str, *more: type[Exception]) -> Iterator[None]:
        """The library's errors, and what else it raises, whose texts run over many lines, as one."""
        try:
            yield
        except FileNotFoundError:
            raise Unreachable(f"{self.url}/{key}: is not in the store", "inv backups") from None
        except (self._obs.exceptions.BaseError, *more) as error:
            meant = _meaning(str(error))
            raise Unreachable(f"{self.url}: {meant}", _hint(self.url, meant)) from None


_SAID = (
    ("NoSuchBucket", "there is no such bucket"),
    ("AccessDenied", "access is denied to this key"),
    ("InvalidAccessKeyId", "the access key is not known there"),
    ("SignatureDoesNotMatch", "the secret of the access key is not the right one"),
    ("RequestTimeTooSkewed", "this machine's clock is wrong"),
    ("ExpiredToken", "the access token has expired"),
    ("403 Forbidden", "access is denied"),
    ("169.254.169.254", "there is no access key in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"),
    ("SlowDown", "it takes no more for now"),
    ("No space left", "it is full"),
    ("Read-only file system", "it is read-only"),
    ("error sending request", "it does not answer"),
    ("error trying to connect", "it does not answer"),
    ("timed out", "it does not answer in time"),
)
_KEYS = {
    "s3": "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_REGION=…   of a key that may read and write there",
    "gs": "export GOOGLE_APPLICATION_CREDENTIALS=FILE   of an account that may read and write there",
    "az": "export AZURE_STORAGE_ACCOUNT_NAME=… AZURE_STORAGE_ACCOUNT_KEY=…",
}


def _hint(url: str, meant: str) -> str:
    """What to type: who we are there where that is doubted, else a look at it."""
    if any(word in meant for word in ("access", "key")):
        return _KEYS.get(url.partition(":")[0], f"ls -ld {url[7:]}")
    if url.startswith("file:"):
        return f"df -h {url[7:]}   and let it be written"
    return "look at the store's address and the network (docs/stores.md)"


def _meaning(said: str) -> str:
    for word, meant in _SAID:
        if word in said:
            return meant
    return said.split("\n")[0][:300]
