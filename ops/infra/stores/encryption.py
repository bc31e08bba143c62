"""Encrypts and opens a dump on its way through: ``python -m ops.infra.stores.encryption seal RECIPIENT…`` and ``… open
IDENTITY``.

The format is age's (age-encryption.org), so its own program opens a dump, too: ``age -d -i KEY dump.age``. Both read
standard input and write standard output in pieces; nothing readable is ever on a disk. An identity is named by where it
is, ``env:NAME`` or ``file:PATH``, and never stands in the words of a command.
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
    """The first piece was opened."""


class _First:
    """A file that takes one piece and no more."""

    def write(self, content: bytes) -> int:
        raise _Enough

    def flush(self) -> None:
        pass


def recipients(words: Sequence[str]) -> list[Any]:
    """The public keys to which a dump is encrypted.

    Raises:
        UsageError: one is none.
    """
    import pyrage

    try:
        return [pyrage.x25519.Recipient.from_str(word) for word in words]
    except pyrage.RecipientError:
        raise UsageError("a recipient is no age public key", "age-keygen   prints one: age1…") from None


def identity(reference: str) -> list[Any]:
    """The secret keys that a reference leads to.

    Args:
        reference: ``env:NAME``, or ``file:PATH`` with the path from the present folder.

    Raises:
        UsageError: nothing is there, or it is none, or others can read the file; no text holds any of it.
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
    hint = "the file that age-keygen wrote, chmod 600; or its line AGE-SECRET-KEY-… in the environment"
    if not lines:
        raise UsageError(f"the identity {reference} is empty or not there", hint)
    try:
        return [pyrage.x25519.Identity.from_str(line) for line in lines]
    except pyrage.IdentityError:
        raise UsageError(f"{reference} holds no age identity", hint) from None


def opens(path: Path, keys: list[Any]) -> bool:
    """Whether secret keys open a file, by its first piece."""
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
        OpsError: the identity does not open it, or it is cut off or changed.
    """
    import pyrage

    try:
        pyrage.decrypt_io(source, into, identity(reference))
    except pyrage.DecryptError as error:
        raise OpsError(f"{reference} does not open it, or it is damaged: {error}") from None


def main(words: Sequence[str]) -> int:
    """Seal or open standard input."""
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
        # Who read it has had enough, or has failed and says why.
        os._exit(1)
    except OSError as error:
        print(f"age: what was read is cut off, or can't be read: {error}", file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
