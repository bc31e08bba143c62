"""A connection to a server whose certificate is not accepted: what is wrong with it is named, with its dates."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from ops.core.errors import Code
from ops.infra.postgres.client import said_error, unreached
from tests.support.certificates import EARLY, EXPIRED, HOST, VALID, Authority

Serve = Callable[..., int]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """What PostgreSQL does of TLS, which the embedded one was built without; nobody gets further than the handshake."""
    listening: list[socket.socket] = []

    def begin(certificate: tuple[Path, Path]) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        listening.append(found := socket.create_server((HOST, 0)))
        threading.Thread(target=_answer, args=(found, context), daemon=True).start()
        return int(found.getsockname()[1])

    yield begin
    for one in listening:
        one.close()


def _answer(listening: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            one, _ = listening.accept()
        except OSError:
            return
        with contextlib.suppress(OSError), one:
            one.settimeout(5)
            if len(one.recv(8)) == 8:
                one.sendall(b"S")
                with context.wrap_socket(one, server_side=True) as encrypted:
                    encrypted.recv(1)


def refused(port: int, authority: Path) -> str:
    """libpq's own words."""
    with pytest.raises(psycopg.OperationalError) as error:
        psycopg.connect(host=HOST, port=port, sslmode="verify-full", sslrootcert=str(authority), gssencmode="disable")
    return f"psycopg.OperationalError: {error.value}"


def said_of(stderr: str) -> str:
    how, hint, code = unreached(stderr)
    assert code == Code.TLS and "does not answer" not in how, how
    return f"{how}\n{hint}"


def day(end: timedelta) -> str:
    return f"{datetime.now(UTC) + end:%Y-%m-%d}"


@pytest.mark.parametrize(
    ("valid", "said", "typed"),
    [
        (EXPIRED, f"can't be reached: the server's certificate expired at {day(EXPIRED[1])} ", "renew the certificate"),
        (EARLY, f"the server's certificate is not valid before {day(EARLY[0])} ", "date -u"),
    ],
    ids=["expired", "early"],
)
def test_a_certificate_that_is_not_valid_now_is_named_with_its_day(
    serve: Serve, tmp_path: Path, valid: tuple[timedelta, timedelta], said: str, typed: str
) -> None:
    authority = Authority(tmp_path)
    port = serve(authority.issue("db", *valid))
    found = said_of(refused(port, authority.file))
    assert said in found and typed in found
    assert f"openssl s_client -starttls postgres -connect {HOST}:{port}" in found


def test_a_certificate_of_another_authority_is_not_called_expired(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    port = serve(Authority(tmp_path).issue("db", *VALID))
    found = said_of(refused(port, Authority(tmp_path / "other").file))
    assert "is not expired, but no authority in sslrootcert issued it" in found


def test_a_certificate_that_can_not_be_read_again_leaves_both_open(tmp_path: Path) -> None:
    gone = 'connection to server at "127.0.0.1", port 1 failed: SSL error: certificate verify failed'
    assert said_error(f"psql: error: {gone}") == gone
    assert "it expired, or another authority issued it" in said_of(f"psql: error: {gone}")


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ('sslmode value "verify-full" invalid when SSL support is not compiled in', "machine do not support TLS"),
        ('root certificate file "/x/root.crt" does not exist', "sslrootcert does not exist"),
        ('server certificate for "db.lan" does not match host name "db"', "db.lan, but the address has the host db"),
    ],
)
def test_what_else_keeps_a_connection_from_being_encrypted_is_named(said: str, cause: str) -> None:
    assert cause in said_of(f"psql: error: {said}")
