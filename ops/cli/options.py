"""What the command line said, and what it means: the session, the target, the stores."""

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
    """What the command line said; the same for every task."""

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
        """Take from a task's parameters those that every task understands."""
        return cls(**{field.name: given[field.name] for field in fields(cls) if field.name in given})


def open_session(options: Options) -> Session:
    """The inventory that the options name, with its connections."""
    session = Session(load.load(load.find(options.inventory or None, Path.cwd(), os.environ)))
    forget_libpq()
    return session


def target_of(session: Session, options: Options) -> str:
    """The production target that is meant."""
    return session.inventory.live(options.target or None).name


def close_stores(session: Session, *targets: str) -> None:
    """What is kept of these targets, or of all in production, is for nobody else.

    Raises:
        UsageError: a part of it is somebody else's, or leads elsewhere.
    """
    for target in targets or session.inventory.production:
        close_store(session.inventory.path(session.inventory.target(target).folder), target)


def targets_of(session: Session, options: Options) -> list[str]:
    """Return the production target that is meant, or all of them where none is named."""
    return [target_of(session, options)] if options.target else list(session.inventory.production)
