"""Writing over what is known in Google's storage: against a stand-in with generations, as no server could be had."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ops.errors import Refused, Unreachable
from ops.store import Changed, Store


@dataclass
class Bucket:
    """Objects by their path: a generation, a tag, the content."""

    objects: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    written: int = 1000
    # The wanted generation of each write.
    wanted: list[str | None] = field(default_factory=list)


def handler(bucket: Bucket) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def say(self, status: HTTPStatus, content: bytes = b"") -> None:
            self.send_response(status)
            if found := bucket.objects.get(self.path):
                self.send_header("x-goog-generation", str(found[0]))
                self.send_header("ETag", found[1])
                self.send_header("Last-Modified", "Fri, 27 Nov 2026 03:00:00 GMT")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if self.command != "HEAD" else b"")

        def do_GET(self) -> None:
            found = bucket.objects.get(self.path)
            self.say(HTTPStatus.OK if found else HTTPStatus.NOT_FOUND, found[2] if found else b"")

        do_HEAD = do_GET

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            wanted = self.headers["x-goog-if-generation-match"]
            bucket.wanted.append(wanted)
            if wanted not in (None, str(bucket.objects.get(self.path, (0,))[0])):
                return self.say(HTTPStatus.PRECONDITION_FAILED)
            bucket.written += 1
            bucket.objects[self.path] = (bucket.written, f'"t{hash(content)}"', content)
            return self.say(HTTPStatus.OK)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket that this process reaches."""
    made = Bucket()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(made)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("GOOGLE_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "token")
        yield made
        server.shutdown()


def test_what_is_known_is_written_over_by_its_generation(bucket: Bucket) -> None:
    store = Store("gs://kept/p")
    first = store.swap("a", b"one", "")
    with pytest.raises(Changed):
        store.swap("a", b"other", "")
    second = store.swap("a", b"two", first)
    with pytest.raises(Refused, match="written by somebody else"):
        store.swap("a", b"other", first)
    assert store.read("a") == (b"two", second)
    assert bucket.wanted == ["0", "0", "1001"]


def test_who_comes_between_the_look_and_the_write_is_not_written_over(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = Store("gs://kept/p"), Store("gs://kept/p")
    tag = store.swap("a", b"one", "")
    look = store._version

    def late(key: str, tag: str) -> dict[str, str]:
        found = look(key, tag)
        other.swap(key, b"theirs", tag)
        return found

    monkeypatch.setattr(store, "_version", late)
    with pytest.raises(Changed):
        store.swap("a", b"ours", tag)
    assert store.read("a")[0] == b"theirs"


def test_what_was_written_over_the_same_is_no_other_writer(bucket: Bucket) -> None:
    store = Store("gs://kept/p")
    tag = store.swap("a", b"one", "")
    second = store.swap("a", b"two", tag)
    # The same once more, as it is sent when the answer did not come.
    assert store.swap("a", b"two", tag) == second
    with pytest.raises(Unreachable, match="is not in the store"):
        store.swap("gone", b"two", tag)
