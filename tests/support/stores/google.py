"""A stand-in for Google's storage: moto's S3, which lists and takes pieces in the same words, and Google's own
generations, token and answer to a removal in front of it. No server that speaks its XML could be had."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.support.stores.s3 import App, refused

TOKEN = "storesecret-token"
WANTED = "HTTP_X_GOOG_IF_GENERATION_MATCH"


def keys(server: str) -> dict[str, str]:
    """Who we are there, and where that is."""
    return {"GOOGLE_BASE_URL": server, "GOOGLE_BEARER_TOKEN": TOKEN}


@dataclass
class Google:
    """What stands in front of moto.

    Args:
        app: moto.
        written: how often something was written.
        generations: of each object, by its path.
        wanted: the generation that each write of a whole object named.
    """

    app: App
    written: int = 1000
    generations: dict[str, int] = field(default_factory=dict)
    wanted: list[str | None] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_AUTHORIZATION") != f"Bearer {TOKEN}":
            return refused(environ, start, "401 Unauthorized")
        if source := environ.get("HTTP_X_GOOG_COPY_SOURCE"):
            environ["HTTP_X_AMZ_COPY_SOURCE"] = source
        verb, path, query = (environ[name] for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING"))
        if verb == "PUT" and not query:
            with self.lock:
                return self._put(environ, path, start)
        if verb == "POST" and query.startswith("uploadId="):
            with self.lock:
                return list(self._written(environ, path, start))
        if verb == "DELETE" and not query and self.generations.pop(path, None) is None:
            return refused(environ, start, "404 Not Found")
        return self.app(environ, self._telling(path, start))

    def _put(self, environ: dict[str, Any], path: str, start: Callable[..., Any]) -> Iterable[bytes]:
        wanted = environ.get(WANTED)
        self.wanted.append(wanted)
        if wanted not in (None, str(self.generations.get(path, 0))):
            return refused(environ, start, "412 Precondition Failed")
        return list(self._written(environ, path, start))

    def _written(self, environ: dict[str, Any], path: str, start: Callable[..., Any]) -> Iterable[bytes]:
        def begin(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            if status.startswith("200"):
                self.written += 1
                self.generations[path] = self.written
            return self._telling(path, start)(status, headers, *more)

        return self.app(environ, begin)

    def _telling(self, path: str, start: Callable[..., Any]) -> Callable[..., Any]:
        def begin(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            found = self.generations.get(path)
            told = [("x-goog-generation", str(found))] if found else []
            return start(status, [*headers, *told], *more)

        return begin
