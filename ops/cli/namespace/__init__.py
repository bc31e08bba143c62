"""Invoke's tasks, one per command, each a signature and a docstring.

Begin with ``procedure_tasks``. ``operation`` makes a task from a function, ``help`` has the text of each option,
``task_list`` the groups of ``inv --list``, ``usage_errors`` the messages for a mistyped command, and ``action_tasks``
the tasks ``inv tool.NAME``.

Modules that are slow to load are imported only when a task runs, so that ``inv --list`` is fast. A project has a
``tasks.py`` of two lines::

    from ops.tasks import namespace
    __all__ = ["namespace"]
"""

from __future__ import annotations

from invoke.collection import Collection

from ops.cli.namespace.action_tasks import Actions
from ops.cli.namespace.backup_tasks import check_backups, pin, prune_backups, unpin
from ops.cli.namespace.listing_tasks import (
    backups,
    doctor,
    environment,
    hazards,
    overview,
    recover,
    runs,
    status,
    tools,
)
from ops.cli.namespace.procedure_tasks import (
    backup,
    clone_prod_to_test,
    discard_replaced,
    drill,
    freeze,
    migrate_test,
    plan,
    promote,
    railway_restore,
    release,
    resume,
    rollback,
    runbooks,
    salvage,
    scaffold_rename,
    undo,
    unfreeze,
    unpack,
    verify,
)
from ops.cli.namespace.schedule_tasks import schedule, scheduled

namespace = Collection(
    overview,
    release,
    backup,
    clone_prod_to_test,
    migrate_test,
    verify,
    promote,
    rollback,
    discard_replaced,
    railway_restore,
    salvage,
    recover,
    drill,
    unpack,
    check_backups,
    prune_backups,
    pin,
    unpin,
    freeze,
    unfreeze,
    plan,
    doctor,
    hazards,
    backups,
    runs,
    status,
    resume,
    undo,
    runbooks,
    environment,
    scaffold_rename,
    schedule,
    scheduled,
    tools,
    Actions("tool"),
)
