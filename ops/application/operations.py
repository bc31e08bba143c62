"""What the application says of its pending migrations: every operation, with old and new tables and columns. Pure.

``ops.application.inside`` finds it within the application; here it becomes types. Tables and columns are called as
Django calls them, unquoted. An *old* name is one that the database has before the first pending migration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

# Code that names one of these may draw values: another run writes others.
DRAWS = ("random", "secrets", "uuid", "uuid1", "uuid4", "urandom", "token_hex", "token_urlsafe", "get_random_string",
         "shuffle", "gen_random_uuid", "gen_random_bytes", "uuid_generate_v4", "make_password", "faker",
         "hash")  # fmt: skip


class Link(NamedTuple):
    """A foreign key, also one of a many-to-many table. ``constraint`` is false with ``db_constraint=False``."""

    table: str
    column: str
    to_table: str
    to_column: str
    constraint: bool


class Generic(NamedTuple):
    """A link by content type and number (``GenericForeignKey``)."""

    table: str
    content_type_column: str
    object_id_column: str


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=(), extra="ignore")


class Field(_Frozen):
    """A model's field in a project state.

    ``family`` is the type without its length: where two differ, Django casts explicitly. ``default`` says that one is
    written, ``fills`` that Django gives existing rows a value when it adds the column. ``through`` is the table of a
    many-to-many field, ``auto`` says that Django makes it.
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
    """Columns that must be unique together, for the rows where ``where`` (SQL) holds; ``nulls``: also among NULLs."""

    columns: tuple[str, ...]
    where: str = ""
    nulls: bool = False


class Loop(_Frozen):
    """A loop over all rows of a model in a RunPython; ``memory``: all of them are held at once."""

    model: str
    table: str
    memory: bool = True


class Operation(_Frozen):
    """One operation of a pending migration, in the order in which they run.

    ``index`` is its place in the migration, ``kind`` its class, ``acts_as`` the Django operation that this stands on.
    ``table`` is the table before it and ``new_table`` after it, empty where there is none: for a field of many-to-many
    the table that Django makes for it, with an empty column. ``opaque``: what it does to data can't be told, only its
    ``code`` can be read: a function with all that it reaches, or SQL. ``defaults`` is the code that gives new columns
    their values. ``undescribed`` says why nothing more is known.
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
        """The tables that go with it."""
        if self.acts_as == "DeleteModel":
            return tuple(table for table in (self.table, *self.throughs) if table)
        if self.acts_as == "RemoveField" and self.before and self.before.many and self.table:
            return (self.table,)
        return ()

    @property
    def makes(self) -> tuple[str, ...]:
        """The tables that come with it."""
        if self.acts_as == "CreateModel":
            return tuple(table for table in (self.new_table, *self.throughs) if table)
        if self.acts_as == "AddField" and self.after and self.after.many and self.new_table:
            return (self.new_table,)
        return ()

    @property
    def content(self) -> set[tuple[str, str]]:
        """The columns but for the key, with their types."""
        return {(field.column, field.type) for field in self.columns if not field.primary_key}

    @property
    def words(self) -> str:
        """The operation as a person calls it: ``RemoveField lessons.Booking.lesson``."""
        if not self.model_name:
            return self.kind
        to = f" → {self.new_model_name}" if self.acts_as == "RenameModel" else ""
        return f"{self.kind} {self.app}.{self.model_name}" + (f".{self.field}" if self.field else "") + to

    def says(self, word: str) -> bool:
        """Whether its code holds a name as a word, whatever its case."""
        return says(self.code, word)


def says(text: str, word: str) -> bool:
    """Whether a text holds a name as a word, whatever its case."""
    return bool(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


class Application(_Frozen):
    """The application's pending plan, and its models and links before and after it.

    ``target`` is the target's name, where hints need it. ``models_…`` are ``{"app.model": table}`` of managed models.
    ``unmade`` are model changes without a migration, ``unknown`` migrations that the database has and the code has not,
    ``skipped`` squashed ones that Django passes over, with what of them is missing, ``inconsistent`` a migration that
    was applied before one on which it depends, ``broken`` the first operation that does not fit the models before it.
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
    django: str = ""

    @classmethod
    def read(cls, found: dict[str, Any]) -> Application:
        """What a probe found, as types."""
        return cls.model_validate(found)

    @property
    def opaque(self) -> tuple[Operation, ...]:
        """The operations of which can't be told what they do to data."""
        return tuple(operation for operation in self.operations if operation.opaque)

    def renamed_tables(self) -> dict[str, str]:
        """Old table to new one over the whole plan, chains followed, those of many-to-many fields too."""
        return {old: now for now, old in self._end().tables.items() if old and old != now}

    def renamed_columns(self) -> dict[tuple[str, str], str]:
        """(old table, old column) to the column's name at the end of the plan."""
        names = self._end()
        moved = {(names.table(table), old): now for (table, now), old in names.columns.items() if old and old != now}
        return {(table, old): now for (table, old), now in moved.items() if table}

    def steps(self) -> Iterator[tuple[Operation, Names]]:
        """Every operation, with what the names that it uses were called before the plan."""
        names = Names()
        for operation in self.operations:
            yield operation, names
            names.take(operation)

    def successor(self, gone: Operation) -> Operation | None:
        """The model that the plan creates and that looks most like a deleted one; None where none is like it."""
        mine = gone.content
        created = [one for one in self.operations if one.acts_as == "CreateModel" and one.new_table]
        alike = [(len(mine & one.content), one.app == gone.app, one) for one in created]
        best = max(alike, key=lambda entry: entry[:2], default=None)
        return best[2] if best and best[0] and best[0] * 2 >= len(mine) else None

    def children(self, table: str) -> list[str]:
        """The models that stand on a table by Django's own link to a parent (multi-table inheritance), by old names."""
        linked = [link for link in self.links_before if link.to_table == table and link.column.endswith("_ptr_id")]
        models = {table: label for label, table in self.models_before.items()}
        return [models.get(link.table, link.table) for link in linked]

    def removers(self, table: str, column: str = "") -> list[Operation]:
        """The operations that drop a table or column, by its old name.

        Where none does in the database, those that drop it from the models alone: RunSQL beside them may have done it.
        """
        found = [operation for operation, names in self.steps() if _removes(operation, names, table, column)]
        return [operation for operation in found if not operation.state_only] or found

    def may_have_copied(self, table: str, column: str = "") -> bool:
        """Whether an operation that could copy anything runs before a table or column is dropped (old names)."""
        removers = self.removers(table, column)
        for operation in self.operations:
            if any(operation is remover for remover in removers):
                return False
            if operation.opaque:
                return True
        return False

    def akin(self, old_table: str, old: str, new_table: str, new: str) -> bool:
        """Whether an old column and a new one had the same name at some moment of the plan."""
        return bool(self._called(old_table, old, back=False) & self._called(new_table, new, back=True))

    def _called(self, table: str, column: str, back: bool) -> set[str]:
        """The names of a column within the plan: from its old name on, or back from its new one."""
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
        """Whether the code of one opaque operation holds all these names as words."""
        return any(all(operation.says(word) for word in words) for operation in self.opaque)

    @property
    def draws(self) -> bool:
        """Whether code that writes values may draw them, so that each run writes others."""
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
    """What tables and columns were called before the plan; filled operation by operation.

    ``tables`` and ``columns`` lead from a present name to the old one, which is empty for what the plan has made.
    """

    def __init__(self) -> None:
        self.tables: dict[str, str] = {}
        self.columns: dict[tuple[str, str], str] = {}
        self._gone: set[str] = set()

    def table(self, name: str) -> str:
        """A table's old name; empty where the plan has made it."""
        return self.tables.get(name, name)

    def column(self, table: str, name: str) -> str:
        """A column's old name, by its table's present name; empty where the plan has made it."""
        return self.columns.get((table, name), name if self.table(table) else "")

    def take(self, operation: Operation) -> None:
        """Follow one operation."""
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
        """All at once, as two tables may exchange their names. What is renamed in the models alone is followed where
        the database has not done it before: RunSQL beside it does."""
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
