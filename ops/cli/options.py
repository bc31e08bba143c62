"""The options of the command line, and the session, the target and the stores that they name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ops.core.permissions import close_store
from ops.infra.postgres.session_settings import forget_libpq
from ops.infra.session.session import Session
from ops.inventory import load
from ops.procedures.planning.request import Wanted


@dataclass(frozen=True)
class Options(Wanted):
    """The options that every task understands."""

    target: str = ""
    confirm: str = ""
    json: bool = False
    plan: bool = False
    trial: bool = False
    everything: bool = False
    reason: str = ""
    inventory: str = ""

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Options:
        """Select from a task's parameters the options that every task understands."""
        return cls(**{field.name: given[field.name] for field in fields(cls) if field.name in given})


def open_session(options: Options) -> Session:
    """Open a session on the inventory that the options name."""
    session = Session(load.load(load.find(options.inventory or None, Path.cwd(), os.environ)))
    forget_libpq()
    return session


def target_of(session: Session, options: Options) -> str:
    """Return the production target that the options name, or the only one."""
    return session.inventory.live(options.target or None).name


def close_stores(session: Session, *targets: str) -> None:
    """Restrict the permissions of the stored files of these targets, or of all production targets.

    Raises:
        UsageError: another user owns a file, or a symbolic link leads out of the store.
    """
    for target in targets or session.inventory.production:
        close_store(session.inventory.path(session.inventory.target(target).folder), target)


def targets_of(session: Session, options: Options) -> list[str]:
    """Return the production target that the options name, or all production targets if they name none."""
    return [target_of(session, options)] if options.target else list(session.inventory.production)
