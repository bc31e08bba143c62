"""The health check after a deploy: a real web server that is ill, and well after a while; a command; bad input."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from ops.core.errors import InventoryError, StepFailed, UsageError
from ops.infra.session.session import Session
from ops.inventory.load import load
from ops.release.health import check_health
from tests.conftest import Project
from tests.support.certificates import EXPIRED, Authority


@pytest.fixture
def site() -> Iterator[SimpleNamespace]:
    """A web server whose answers are the list ``answers``; the last one stays. ``asked`` counts."""
    state = SimpleNamespace(answers=[200], asked=0, wait=0.0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = state.answers[min(state.asked, len(state.answers) - 1)]
            state.asked += 1
            time.sleep(state.wait)
            self.send_response(status)
            if status in (301, 302):
                self.send_header("Location", "/login")
            self.end_headers()
            self.wfile.write(b"warming\nup" if status != 200 else b"ok")

        def log_message(self, *_: object) -> None:
            """Nothing on the tests' screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.server = server
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/health"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def session(tmp_path: Path) -> Session:
    path = tmp_path / "inventory.yaml"
    path.write_text("all: {children: {production: {hosts: {shop: {database: env:X}}}}}")
    return Session(load(path), {"X": "postgresql://u:secret-word@127.0.0.1:1/x", "PATH": "/usr/bin:/bin"})


def ask(session: Session, **given: str) -> str:
    return check_health(session, target="shop", **{"timeout": "1", "every": "0.05", **given})


def test_it_asks_until_the_answer_is_right(session: Session, site: SimpleNamespace) -> None:
    site.answers = [502, 503, 200]
    assert ask(session, url=site.url) == f"{site.url}: healthy after 3 requests"
    site.answers = [204]
    assert "healthy" in ask(session, url=site.url, status="204")


def test_when_the_time_is_up_the_last_answer_is_said(session: Session, site: SimpleNamespace) -> None:
    site.answers = [502, 503]
    with pytest.raises(StepFailed) as caught:
        ask(session, url=site.url, timeout="0.3")
    assert "within 0.3 s (" in caught.value.message
    assert "last: status 503, not 200; read the application's log" in caught.value.message
    assert caught.value.message.endswith(f"curl -si {site.url}") and "warming" not in caught.value.message
    assert f"inv tool.check-health --target=shop --url={site.url}" in caught.value.hint
    assert site.asked > 2


def test_a_redirect_is_not_health(session: Session, site: SimpleNamespace) -> None:
    site.answers = [302, 200]
    with pytest.raises(StepFailed, match="status 302, not 200"):
        ask(session, url=site.url, timeout="0")
    assert site.asked == 1


def test_a_certificate_that_expired_is_named(
    session: Session, site: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("site", *EXPIRED))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
    with pytest.raises(StepFailed) as caught:
        ask(session, url=site.url.replace("http://", "https://"), timeout="0")
    assert "last: its TLS certificate is not accepted: certificate has expired;" in caught.value.message


def test_nobody_there_and_no_answer_in_time(session: Session, site: SimpleNamespace) -> None:
    with pytest.raises(StepFailed, match="no response: .*refused"):
        ask(session, url="http://127.0.0.1:1/", timeout="0")
    site.wait = 3
    started = time.monotonic()
    with pytest.raises(StepFailed, match="no response: timed out"):
        ask(session, url=site.url, timeout="1")
    assert time.monotonic() - started < 2.5
    with pytest.raises(StepFailed, match="no response"):
        ask(session, url="http://[::1", timeout="0")


def test_a_command_is_tried_again_in_the_applications_folder(session: Session) -> None:
    script = "echo x >> tries; [ $(wc -l < tries) -ge 3 ] || { echo not yet >&2; exit 7; }"
    folder = session.inventory.folder
    with pytest.raises(StepFailed, match="last: exit code 7: not yet"):
        ask(session, command=f"sh -c '{script}'", timeout="0")
    assert "healthy" in ask(session, command=f"sh -c '{script}'")
    assert len((folder / "tries").read_text().split()) == 3


def test_wrong_options_are_one_line(session: Session) -> None:
    for given in ({}, {"url": "http://x", "command": "y"}, {"url": "http://x", "timeout": "soon"}, {"command": "'"}):
        with pytest.raises(UsageError):
            ask(session, **given)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{url: shop.example.com}", "should be a web address"),
        ("{url: 'https://u:hunter2@h/'}", "password does not belong"),
        ("{timeout: 5}", "should have either `url` or `command`"),
        ("{url: https://h, command: [x]}", "should have either"),
        ("{command: [x], status: 201}", "has a `status`"),
        ("{url: https://h, retries: 5}", "unknown key"),
        ("{url: https://h, timeout: soon}", "timeout"),
        ("curl x", "should be a list"),
    ],
)
def test_a_wrong_inventory_is_one_line_with_its_number(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(
        f"all:\n children:\n  production:\n   hosts:\n    shop:\n     database: env:X\n     health: {text}\n"
    )
    with pytest.raises(InventoryError) as caught:
        load(path)
    assert words in caught.value.message and ":7: " in caught.value.message
    assert "hunter2" not in caught.value.message and caught.value.hint


@pytest.mark.slow
def test_a_release_waits_for_the_deployed_application(project: Callable[..., Project], site: SimpleNamespace) -> None:
    site.answers = [503, 503, 200]
    health = {"url": site.url, "timeout": 20, "every": 0.1}
    shop = project("b", deploy=["sh", "-c", 'echo "$RELEASE" >> ../deployed'], health=health)
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert site.asked == 3
    shop.inv("runbooks")
    page = (shop.folder / "runbooks/release.md").read_text()
    assert f"inv tool.check-health --target=shop --url={site.url} --status=200 --timeout=20 --every=0.1" in page


@pytest.mark.slow
def test_an_application_that_is_ill_is_mended_and_gone_on_with(
    project: Callable[..., Project], site: SimpleNamespace
) -> None:
    """Every row was accounted for, so what is offered first is not to take them back."""
    site.answers = [503]
    shop = project("b", deploy=["true"], health={"url": site.url, "timeout": 0.3, "every": 0.1})
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 4, done.out + done.err
    assert done.out.index("inv resume --run=") < done.out.index("inv rollback --target=shop --backup=")
    (hint,) = [line for line in done.out.splitlines() if line.startswith("Try: ")]
    assert "inv resume --run=" in hint and "rollback" not in hint
    site.answers = [200]
    done = shop.inv(*hint.split("inv ", 1)[1].split(), "--confirm=shop")
    assert done.code == 0, done.out + done.err
