"""TLS certificates for servers of the tests, also such as nobody should accept."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"


@dataclass
class Authority:
    """Issues certificates for 127.0.0.1; ``file`` is its own."""

    folder: Path

    def __post_init__(self) -> None:
        self.key, self.file = ec.generate_private_key(ec.SECP256R1()), self.folder / "authority.pem"
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {self.folder.name}")])
        own = self._builder(self.name, self.key, timedelta(days=-90), timedelta(days=90))
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file.write_bytes(own.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, begin: timedelta, end: timedelta, host: str = HOST) -> tuple[Path, Path]:
        """Issue a certificate that is valid between two moments, as they are from now; its file and its key's."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
        made = self._builder(subject, key, begin, end).add_extension(names, critical=False)
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files[0].write_bytes(made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        files[1].write_bytes(key.private_bytes(*form))
        os.chmod(files[1], 0o600)
        return files

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, begin: timedelta, end: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        found = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        found = found.serial_number(x509.random_serial_number())
        return found.not_valid_before(now + begin).not_valid_after(now + end)


# When a certificate is valid, from now.
DAY = timedelta(days=1)
VALID, EXPIRED, EARLY = (-DAY, DAY), (-60 * DAY, -2 * DAY), (2 * DAY, 60 * DAY)
