"""Why no encrypted connection to a server comes about: its certificate, as this machine sees it.

libpq says "certificate verify failed" of one that expired, one that another authority issued, and one that is not valid
yet. So the certificate is read again, without trusting it, and its dates are named.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
from datetime import UTC, datetime

_WHERE = re.compile(r'connection to server at "([^"]+)"(?: \(([^)]+)\))?, port (\d+)')
_REQUEST = struct.pack("!ii", 8, 80877103)
_PATIENCE = 5.0
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for.
_ANY_TIME = 0x200000


def tls_trouble(said: str) -> tuple[str, str] | None:
    """Say what is wrong with an encrypted connection, and what to type.

    Args:
        said: libpq's words, with the address where they name it.

    Returns:
        the cause and what to type; None where the words are about something else.
    """
    if "SSL support is not compiled in" in said:
        return (
            "the PostgreSQL programs of this machine can't encrypt",
            "apt-get install postgresql-client, or put a psql that has TLS first on PATH",
        )
    if re.search(r"root certificate file .* does not exist", said):
        return "the file of sslrootcert is not there", "correct sslrootcert in the address of the database"
    if match := re.search(r'server certificate for "([^"]*)".* does not match host name "([^"]*)"', said):
        return (
            f"the server's certificate is for {match[1]}, and the address says {match[2]}",
            "let the address of the database name the host as the certificate does",
        )
    if "certificate verify failed" in said:
        return _unaccepted(said)
    return None


def _unaccepted(said: str) -> tuple[str, str]:
    renew = "renew the certificate on the database's server (ssl_cert_file) and SELECT pg_reload_conf() there"
    host, port = _place(said)
    look = f"openssl s_client -starttls postgres -connect {host or 'HOST'}:{port or 'PORT'} </dev/null"
    shows = f"{look} | openssl x509 -noout -dates -issuer   shows it"
    found = _certificate(host, port) if host else None
    if found is None:
        said = "the server's certificate is not accepted: it expired, or another authority issued it"
        return said, f"{shows};   {renew}"
    begin, end = (_moment(str(found[name])) for name in ("notBefore", "notAfter"))
    now = datetime.now(UTC)
    if end < now:
        return f"the server's certificate expired at {end:%Y-%m-%d %H:%M} UTC", f"{shows};   {renew}"
    if begin > now:
        return (
            f"the server's certificate is not valid before {begin:%Y-%m-%d %H:%M} UTC",
            f"{shows};   look at this machine's clock: date -u",
        )
    return (
        "the server's certificate is not expired, but nothing in sslrootcert issued it",
        f"{shows};   put that authority's certificate into the file of sslrootcert",
    )


def _place(said: str) -> tuple[str, int]:
    if not (match := _WHERE.search(said)):
        return "", 0
    return match[2] or match[1], int(match[3])


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def _certificate(host: str, port: int) -> dict[str, object] | None:
    """Read the certificate that a server shows, whatever it is worth; None where it can't be read."""
    with contextlib.suppress(OSError, ValueError):
        shown = ssl.DER_cert_to_PEM_cert(_shown(host, port, _context()))
        context = _context()
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_ANY_TIME)
        context.load_verify_locations(cadata=shown)
        with _encrypted(host, port, context) as connection:
            return dict(connection.getpeercert() or {}) or None
    return None


def _context() -> ssl.SSLContext:
    """Nothing is sent over it: it only reads the certificate, so that need not be trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _shown(host: str, port: int, context: ssl.SSLContext) -> bytes:
    with _encrypted(host, port, context) as connection:
        return connection.getpeercert(binary_form=True) or b""


def _encrypted(host: str, port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((host, port), _PATIENCE)
    try:
        plain.sendall(_REQUEST)
        if plain.recv(1) != b"S":
            raise OSError("no TLS there")
        return context.wrap_socket(plain)
    except BaseException:
        plain.close()
        raise
