"""Encrypt and decrypt a dump in a pipe: ``python -m ops.infra.stores.encryption seal RECIPIENT…`` or ``open IDENTITY``.

The format is age's (age-encryption.org), so ``age -d -i KEY dump.age`` also decrypts a dump. Both commands read
standard input and write standard output in pieces, so that no plain text is written to a disk. An identity is given as
``env:NAME`` or ``file:PATH``; its value is never in the words of a command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from ops.core.errors import FAILED, OpsError, UsageError
from ops.core.permissions import secret_file

DUMP = "dump.age"


class _Enough(Exception):
    """The first piece was decrypted."""


class _First:
    """A file that raises ``_Enough`` at the first piece."""

    def write(self, content: bytes) -> int:
        raise _Enough

    def flush(self) -> None:
        pass


def recipients(words: Sequence[str]) -> list[Any]:
    """Return the public keys to which a dump is encrypted.

    Raises:
        UsageError: a recipient is not an age public key.
    """
    import pyrage

    try:
        return [pyrage.x25519.Recipient.from_str(word) for word in words]
    except pyrage.RecipientError:
        raise UsageError("a recipient is not an age public key", "age-keygen   prints one: age1…") from None


def identity(reference: str) -> list[Any]:
    """Return the secret keys of a reference.

    Args:
        reference: ``env:NAME``, or ``file:PATH`` relative to the current folder.

    Raises:
        UsageError: the value is missing or not an age identity, or others can read the file; the message contains no
            part of the value.
    """
    import pyrage

    kind, _, value = reference.partition(":")
    if kind == "env":
        text = os.environ.get(value, "")
    else:
        path = Path(value).expanduser()
        secret_file(path, reference)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeError):
            text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    hint = "use the file of age-keygen, chmod 600; or its line AGE-SECRET-KEY-… in the environment"
    if not lines:
        raise UsageError(f"the identity {reference} is empty or missing", hint)
    try:
        return [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError:
        raise UsageError(f"{reference} contains no age identity", hint) from None


def opens(path: Path, keys: list[Any]) -> bool:
    """Return True if the secret keys decrypt the first piece of a file."""
    import pyrage

    try:
        with path.open("rb") as file:
            pyrage.decrypt_io(file, _First(), keys)
    except _Enough:
        return True
    except pyrage.DecryptError:
        return False
    return True


def seal(source: IO[bytes], into: IO[bytes], words: Sequence[str]) -> None:
    """Encrypt a stream."""
    import pyrage

    pyrage.encrypt_io(source, into, recipients(words))


def unseal(source: IO[bytes], into: IO[bytes], reference: str) -> None:
    """Decrypt a stream.

    Raises:
        OpsError: the identity does not decrypt the stream, or the stream is truncated or changed.
    """
    import pyrage

    try:
        pyrage.decrypt_io(source, into, identity(reference))
    except pyrage.DecryptError as error:
        raise OpsError(f"{reference} does not decrypt the dump, or the dump is damaged: {error}") from None


def main(words: Sequence[str]) -> int:
    """Encrypt or decrypt standard input."""
    try:
        if words[:1] == ["seal"]:
            seal(sys.stdin.buffer, sys.stdout.buffer, words[1:])
        elif words[:1] == ["open"] and len(words) == 2:
            unseal(sys.stdin.buffer, sys.stdout.buffer, words[1])
        else:
            print("python -m ops.infra.stores.encryption seal RECIPIENT… | open env:NAME|file:PATH", file=sys.stderr)
            return 2
        sys.stdout.buffer.flush()
    except OpsError as error:
        print(f"age: {error.message}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader has ended, and reports its own failure.
        os._exit(1)
    except OSError as error:
        print(f"age: the input is truncated, or can't be read: {error}", file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
