"""Whether what is encrypted can be opened again by who is here."""

from __future__ import annotations

from ops import age, backup, counted
from ops.doctor.check import Finding, Subject, ok, warn
from ops.probes import target_folder


def encryption(subject: Subject) -> Finding:
    """Whether the identity at hand opens the newest dump, and new ones: who can't open a backup has none."""
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
    known = backup.backups(folder)
    newest = counted.newest(counted.dumps(known))
    if newest is None:
        rest = "the backups are pgBackRest's own to encrypt" if counted.held(known) else "there is no backup yet"
        return ok(f"{said}; {encrypt.identity} is one of theirs; {rest}")
    dump = backup.folder_of(folder, newest.backup) / age.DUMP
    if not newest.sealed:
        words = f"{said}; the newest dump {newest.backup} is not encrypted yet"
        makes = "unpack" if subject.entry.engine == "pgbackrest" else "backup"
        return warn(words, f"inv {makes} --target={subject.target}")
    if not dump.is_file():
        return ok(f"{said}; {encrypt.identity} is one of theirs; {newest.backup} is in the store only")
    if not age.opens(dump, keys):
        hint = "the identity of those recipients, or a new backup: inv backup"
        return warn(f"{said}; {encrypt.identity} does not open the newest dump {newest.backup}", hint)
    return ok(f"{said}; {encrypt.identity} opens {newest.backup}")
