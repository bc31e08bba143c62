"""moto's S3 in the tests' own process, and what it leaves out: it knows one key only, and no two write at once."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import WSGIRequestHandler, make_server

KEY = "tests"
UNKNOWN = b"<Error><Code>InvalidAccessKeyId</Code><Message>The key is not known.</Message></Error>"
CONDITIONS = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH")
App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def keys(server: str) -> dict[str, str]:
    """Who we are there, and where that is."""
    who = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": "storesecret", "AWS_REGION": "us-east-1"}
    return who | {"AWS_ENDPOINT_URL": server}


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


def moto() -> App:
    """moto's own part; all its servers in a process know the same buckets."""
    app: App = create_backend_app("s3")
    return app


def front(app: App) -> App:
    """moto looks at a condition and writes after that, and lets everybody in."""
    lock = threading.Lock()

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if f"Credential={KEY}/" not in environ.get("HTTP_AUTHORIZATION", ""):
            return refused(environ, start, "403 Forbidden", UNKNOWN)
        if any(name in environ for name in CONDITIONS):
            with lock:
                return list(app(environ, start))
        return app(environ, start)

    return answer


def refused(environ: dict[str, Any], start: Callable[..., Any], status: str, said: bytes = b"") -> Iterable[bytes]:
    """Answer with a status of our own; what else was sent is read, so that the connection serves on."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(said)))])
    return [said]


@contextlib.contextmanager
def serving(app: App) -> Iterator[str]:
    """Serve it; gives the address."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    # A client that is cut off is no news, and what is printed here would be found in another test's output.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def make_bucket() -> str:
    """A new bucket's name."""
    name = f"b{uuid.uuid4().hex[:12]}"
    _backend().create_bucket(name, "us-east-1")
    return name


def plant(bucket: str, objects: Mapping[str, bytes]) -> None:
    """Put objects there, past the server."""
    for key, content in objects.items():
        _backend().put_object(bucket, key, content)


def dug_up(bucket: str) -> dict[str, bytes]:
    """All objects of a bucket."""
    return {key: found.value for key, found in _backend().buckets[bucket].keys.items()}


def clear(bucket: str) -> None:
    """Remove all of them."""
    for key in dug_up(bucket):
        _backend().delete_object(bucket, key)


def _backend() -> Any:
    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
