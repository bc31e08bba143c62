"""Explain why an encrypted connection to a server fails.

libpq reports "certificate verify failed" for an expired certificate, an unknown authority, and a certificate that is
not valid yet. So this module reads the certificate without trusting it, and reports its dates.
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
    """Return the cause of a failed encrypted connection, and what to type.

    Args:
        said: libpq's message, which may contain the address.

    Returns:
        the cause and what to type; None if the message is about something else.
    """
    if "SSL support is not compiled in" in said:
        return (
            "the PostgreSQL programs of this machine do not support TLS",
            "apt-get install postgresql-client, or put a psql with TLS first on PATH",
        )
    if re.search(r"root certificate file .* does not exist", said):
        return "the file of sslrootcert does not exist", "correct sslrootcert in the address of the database"
    if match := re.search(r'server certificate for "([^"]*)".* does not match host name "([^"]*)"', said):
        return (
            f"the server's certificate is for {match[1]}, but the address has the host {match[2]}",
            "use the certificate's host name in the address of the database",
        )
    if "certificate verify failed" in said:
        return _unaccepted(said)
    return None


def _unaccepted(said: str) -> tuple[str, str]:
    renew = "renew the certificate on the database's server (ssl_cert_file) and SELECT pg_reload_conf() there"
    host, port = _place(said)
    look = f"openssl s_client -starttls postgres -connect {host or 'HOST'}:{port or 'PORT'} </dev/null"
    shows = f"{look} | openssl x509 -noout -dates -issuer   prints it"
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
            f"{shows};   check this machine's clock: date -u",
        )
    return (
        "the server's certificate is not expired, but no authority in sslrootcert issued it",
        f"{shows};   add that authority's certificate to the file of sslrootcert",
    )


def _place(said: str) -> tuple[str, int]:
    if not (match := _WHERE.search(said)):
        return "", 0
    return match[2] or match[1], int(match[3])


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def _certificate(host: str, port: int) -> dict[str, object] | None:
    """Return a server's certificate without verifying it; None if it cannot be read."""
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
    """Return a context without verification: the connection only reads the certificate and sends no data."""
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
