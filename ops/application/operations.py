"""The operations of the pending migrations as types, with old and new tables and columns. Pure.

``ops.application.inside`` reports the operations from inside the application. Names of tables and columns are those of
Django, unquoted. An *old* name is the name before the first pending migration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

# Code that contains one of these names may generate values that differ with each run.
DRAWS = ("random", "secrets", "uuid", "uuid1", "uuid4", "urandom", "token_hex", "token_urlsafe", "get_random_string",
         "shuffle", "gen_random_uuid", "gen_random_bytes", "uuid_generate_v4", "make_password", "faker",
         "hash")  # fmt: skip


class Link(NamedTuple):
    """A foreign key, also of a many-to-many table. ``constraint`` is False for ``db_constraint=False``."""

    table: str
    column: str
    to_table: str
    to_column: str
    constraint: bool


class Generic(NamedTuple):
    """A link by content type and object ID (``GenericForeignKey``)."""

    table: str
    content_type_column: str
    object_id_column: str


class RehearsalRead(NamedTuple):
    """A line in which a pending migration, or a module that it imports, asks whether it is rehearsed."""

    migration: str
    file: str
    line: int


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=(), extra="ignore")


class Field(_Frozen):
    """A model's field in a project state.

    ``family`` is the type without its length; Django casts explicitly between different families. ``default``: the
    field has a default. ``fills``: Django gives existing rows a value when it adds the column. ``through`` is the table
    of a many-to-many field; ``auto``: Django makes the table.
    """

    name: str
    kind: str
    column: str = ""
    type: str = ""
    family: str = ""
    null: bool = False
    many: bool = False
    unique: bool = False
    primary_key: bool = False
    default: bool = False
    fills: bool = False
    db_default: bool = False
    generated: bool = False
    length: int | None = None
    digits: int | None = None
    decimals: int | None = None
    remote: str = ""
    remote_column: str = ""
    constraint: bool = True
    through: str = ""
    auto: bool = False


class Together(_Frozen):
    """Columns that must be unique together in rows that match ``where`` (SQL). ``nulls``: NULLS NOT DISTINCT."""

    columns: tuple[str, ...]
    where: str = ""
    nulls: bool = False


class Loop(_Frozen):
    """A loop over all rows of a model in a RunPython; ``memory``: all rows are in memory at the same time."""

    model: str
    table: str
    memory: bool = True


class Operation(_Frozen):
    """One operation of a pending migration.

    ``index`` is the position in the migration, ``kind`` the class, ``acts_as`` the Django operation that is the base
    class. ``table`` is the table before the operation and ``new_table`` the table after it; empty if there is none. For
    a many-to-many field they are the table that Django makes, and the column is empty. ``opaque``: the effect on rows
    cannot be predicted, and only ``code`` is known: a function with all functions that it calls, or SQL. ``defaults``
    is the code that generates the values of new columns. ``undescribed`` is the error that prevented a description.
    """

    migration: str
    index: int
    kind: str
    app: str = ""
    acts_as: str = ""
    model: str = ""
    model_name: str = ""
    new_model_name: str = ""
    table: str = ""
    new_table: str = ""
    field: str = ""
    column: str = ""
    new_column: str = ""
    before: Field | None = None
    after: Field | None = None
    columns: tuple[Field, ...] = ()
    throughs: tuple[str, ...] = ()
    tables_renamed: tuple[tuple[str, str], ...] = ()
    columns_renamed: tuple[tuple[str, str, str], ...] = ()
    constraint: str = ""
    unique: tuple[Together, ...] = ()
    check: str = ""
    managed: bool = True
    proxy: bool = False
    database_only: bool = False
    state_only: bool = False
    opaque: bool = False
    code: str = ""
    defaults: str = ""
    missing: tuple[str, ...] = ()
    loops: tuple[Loop, ...] = ()
    reversible: bool = True
    atomic: bool = True
    elidable: bool = False
    undescribed: str = ""

    @property
    def drops(self) -> tuple[str, ...]:
        """The tables that the operation drops."""
        if self.acts_as == "DeleteModel":
            return tuple(table for table in (self.table, *self.throughs) if table)
        if self.acts_as == "RemoveField" and self.before and self.before.many and self.table:
            return (self.table,)
        return ()

    @property
    def makes(self) -> tuple[str, ...]:
        """The tables that the operation creates."""
        if self.acts_as == "CreateModel":
            return tuple(table for table in (self.new_table, *self.throughs) if table)
        if self.acts_as == "AddField" and self.after and self.after.many and self.new_table:
            return (self.new_table,)
        return ()

    @property
    def content(self) -> set[tuple[str, str]]:
        """The columns except the primary key, with their types."""
        return {(field.column, field.type) for field in self.columns if not field.primary_key}

    @property
    def words(self) -> str:
        """The operation as text for people: ``RemoveField lessons.Booking.lesson``."""
        if not self.model_name:
            return self.kind
        to = f" → {self.new_model_name}" if self.acts_as == "RenameModel" else ""
        return f"{self.kind} {self.app}.{self.model_name}" + (f".{self.field}" if self.field else "") + to

    def says(self, word: str) -> bool:
        """Return True if the operation's code contains a name as a word, in any case."""
        return says(self.code, word)


def says(text: str, word: str) -> bool:
    """Return True if a text contains a name as a word, in any case."""
    return bool(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


class Application(_Frozen):
    """The application's pending migrations, and its models and links before and after them.

    ``target`` is the target's name, for hints. ``models_…`` map ``app.model`` of managed models to tables. ``unmade``
    are model changes without a migration. ``unknown`` are migrations that the database has and the code lacks.
    ``skipped`` are squashed migrations that Django ignores, with the missing replaced migrations. ``inconsistent`` is
    an applied migration whose dependency is not applied. ``broken`` is the first operation that does not fit the models
    before it.
    """

    operations: tuple[Operation, ...] = ()
    target: str = ""
    models_before: dict[str, str] = {}
    models_after: dict[str, str] = {}
    links_before: tuple[Link, ...] = ()
    links_after: tuple[Link, ...] = ()
    generic: tuple[Generic, ...] = ()
    unmade: tuple[str, ...] = ()
    conflicts: dict[str, tuple[str, ...]] = {}
    unknown: tuple[str, ...] = ()
    skipped: dict[str, tuple[str, ...]] = {}
    inconsistent: str = ""
    broken: str = ""
    rehearsal_reads: tuple[RehearsalRead, ...] = ()
    django: str = ""

    @classmethod
    def read(cls, found: dict[str, Any]) -> Application:
        """Convert a probe's report."""
        return cls.model_validate(found)

    @property
    def opaque(self) -> tuple[Operation, ...]:
        """The operations whose effect on rows cannot be predicted."""
        return tuple(operation for operation in self.operations if operation.opaque)

    def renamed_tables(self) -> dict[str, str]:
        """Map old to new tables over all pending migrations, including tables of many-to-many fields."""
        return {old: now for now, old in self._end().tables.items() if old and old != now}

    def renamed_columns(self) -> dict[tuple[str, str], str]:
        """Map (old table, old column) to the column's name after the last pending migration."""
        names = self._end()
        moved = {(names.table(table), old): now for (table, now), old in names.columns.items() if old and old != now}
        return {(table, old): now for (table, old), now in moved.items() if table}

    def steps(self) -> Iterator[tuple[Operation, Names]]:
        """Yield every operation, with a mapping from the names that it uses to the old names."""
        names = Names()
        for operation in self.operations:
            yield operation, names
            names.take(operation)

    def successor(self, gone: Operation) -> Operation | None:
        """Return the created model that is most similar to a deleted model; None if none is similar."""
        mine = gone.content
        created = [one for one in self.operations if one.acts_as == "CreateModel" and one.new_table]
        alike = [(len(mine & one.content), one.app == gone.app, one) for one in created]
        best = max(alike, key=lambda entry: entry[:2], default=None)
        return best[2] if best and best[0] and best[0] * 2 >= len(mine) else None

    def children(self, table: str) -> list[str]:
        """Return the models that inherit from a table's model (multi-table inheritance), by old names."""
        linked = [link for link in self.links_before if link.to_table == table and link.column.endswith("_ptr_id")]
        models = {table: label for label, table in self.models_before.items()}
        return [models.get(link.table, link.table) for link in linked]

    def removers(self, table: str, column: str = "") -> list[Operation]:
        """Return the operations that drop a table or column, given by its old name.

        If none drops it in the database, return the operations that remove it from the models only: a RunSQL beside
        them may drop it.
        """
        found = [operation for operation, names in self.steps() if _removes(operation, names, table, column)]
        return [operation for operation in found if not operation.state_only] or found

    def may_have_copied(self, table: str, column: str = "") -> bool:
        """Return True if an opaque operation, which could copy rows, runs before a table or column is dropped."""
        removers = self.removers(table, column)
        for operation in self.operations:
            if any(operation is remover for remover in removers):
                return False
            if operation.opaque:
                return True
        return False

    def akin(self, old_table: str, old: str, new_table: str, new: str) -> bool:
        """Return True if an old and a new column had the same name at some point of the pending migrations."""
        return bool(self._called(old_table, old, back=False) & self._called(new_table, new, back=True))

    def _called(self, table: str, column: str, back: bool) -> set[str]:
        """Return all names of a column during the migrations: forward from its old name, or back from its new name."""
        called = {column}
        for operation in reversed(self.operations) if back else self.operations:
            tables = {new: old for old, new in operation.tables_renamed} if back else dict(operation.tables_renamed)
            was = tables.get(table, table) if back else table
            for here, old, new in operation.columns_renamed:
                if (here, new if back else old) == (was, column):
                    column = old if back else new
                    called.add(column)
                    break
            made, gone = (operation.new_table, operation.new_column), (operation.table, operation.column)
            if (operation.acts_as, (table, column)) == (("AddField", made) if back else ("RemoveField", gone)):
                break
            table = tables.get(table, table)
        return called

    def mentions(self, *words: str) -> bool:
        """Return True if the code of one opaque operation contains all these names as words."""
        return any(all(operation.says(word) for word in words) for operation in self.opaque)

    @property
    def draws(self) -> bool:
        """True if code that writes values may generate different values with each run."""
        texts = [operation.code if operation.opaque else operation.defaults for operation in self.operations]
        return any(says(text, word) for text in texts for word in DRAWS)

    def _end(self) -> Names:
        names = Names()
        for operation in self.operations:
            names.take(operation)
        return names


def _removes(operation: Operation, names: Names, table: str, column: str) -> bool:
    if any(names.table(dropped) == table for dropped in operation.drops):
        return True
    here = bool(column) and operation.acts_as == "RemoveField" and names.table(operation.table) == table
    return here and bool(operation.column) and names.column(operation.table, operation.column) == column


class Names:
    """A mapping from current to old names of tables and columns, updated with each operation.

    ``tables`` and ``columns`` map a current name to the old name, which is empty for a new table or column.
    """

    def __init__(self) -> None:
        self.tables: dict[str, str] = {}
        self.columns: dict[tuple[str, str], str] = {}
        self._gone: set[str] = set()

    def table(self, name: str) -> str:
        """Return a table's old name; empty for a new table."""
        return self.tables.get(name, name)

    def column(self, table: str, name: str) -> str:
        """Return a column's old name, given its table's current name; empty for a new column."""
        return self.columns.get((table, name), name if self.table(table) else "")

    def take(self, operation: Operation) -> None:
        """Apply one operation to the mapping."""
        self._rename(operation)
        if operation.state_only:
            return
        for table in operation.drops:
            self._forget(table)
        for table in operation.makes:
            self._forget(table)
            self.tables[table] = ""
            self._gone.discard(table)
        if operation.acts_as == "RemoveField":
            self.columns.pop((operation.table, operation.column), None)
        if operation.acts_as == "AddField" and operation.new_column:
            self.columns[operation.new_table, operation.new_column] = ""

    def _forget(self, table: str) -> None:
        self.tables.pop(table, None)
        self._gone.add(table)
        self.columns = {key: old for key, old in self.columns.items() if key[0] != table}

    def _rename(self, operation: Operation) -> None:
        """Apply all renames of an operation at once, since two tables may exchange their names.

        Apply a rename in the models only if the database has not done the rename before; a RunSQL beside it does.
        """
        pairs = dict(operation.tables_renamed)
        if operation.state_only:
            pairs = {old: new for old, new in pairs.items() if old not in self._gone and new not in self.tables}
        renamed = {(t, old): (new, self.column(t, old)) for t, old, new in operation.columns_renamed}
        kept = {key: old for key, old in self.columns.items() if key not in renamed}
        moved = {(table, new): old for (table, _), (new, old) in renamed.items()}
        self.columns = {(pairs.get(table, table), name): old for (table, name), old in {**kept, **moved}.items()}
        tables = {new: self.table(old) for old, new in pairs.items()}
        for old in pairs:
            self.tables.pop(old, None)
            self._gone.add(old)
        self.tables.update(tables)
        self._gone -= tables.keys()
