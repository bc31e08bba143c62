"""Whether what is encrypted can be opened again by who is here."""

from __future__ import annotations

from ops import age, backup
from ops.doctor.check import Finding, Subject, ok, warn
from ops.errors import OpsError
from ops.probes import target_folder


def encryption(subject: Subject) -> Finding:
    """Whether the identity at hand opens the newest backup, and new ones: who can't open a backup has none."""
    encrypt = subject.entry.encrypt
    if encrypt is None:
        return ok("backups are not encrypted")
    said = f"to {len(encrypt.recipients)} recipient{'s' * (len(encrypt.recipients) != 1)}"
    if not encrypt.identity:
        words = f"{said}; no identity is named, so nothing can be restored from here"
        return warn(words, "encrypt: {identity: file:PATH}")
    keys = subject.world.age_identity(encrypt.identity)
    if not {str(key.to_public()) for key in keys} & set(encrypt.recipients):
        hint = "encrypt: {identity: the secret key of a recipient}"
        return warn(f"{said}; {encrypt.identity} is none of theirs", hint)
    folder = target_folder(subject.world, subject.target)
    try:
        newest = backup.find(folder, "latest")
    except OpsError:
        return ok(f"{said}; {encrypt.identity} is one of theirs; there is no backup yet")
    dump = backup.folder_of(folder, newest.backup) / age.DUMP
    if newest.engine:
        return ok(f"{said}; {encrypt.identity} is one of theirs; the newest backup is pgBackRest's own to encrypt")
    if not newest.sealed:
        words = f"{said}; the newest backup {newest.backup} is not encrypted yet"
        return warn(words, f"inv backup --target={subject.target}")
    if not dump.is_file():
        return ok(f"{said}; {encrypt.identity} is one of theirs; {newest.backup} is in the store only")
    if not age.opens(dump, keys):
        hint = "the identity of those recipients, or a new backup: inv backup"
        return warn(f"{said}; {encrypt.identity} does not open the newest backup {newest.backup}", hint)
    return ok(f"{said}; {encrypt.identity} opens {newest.backup}")
