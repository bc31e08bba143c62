# mypy: disable-error-code="import-untyped"
"""Rename a model by copying: create a new model, copy and compare the rows, then delete the old model.

This file is appended to ``rename.py`` before the application runs both.
"""

import json
import re
from typing import Any

from django.apps import apps as registry
from django.db import migrations

from ops.application.inside.rename import Cannot, File, Rename

QUALIFIED = re.compile(r'^"?([^"]+)"\."([^"]+)"?$')


class Copy(Rename):
    """A rename by copying: four migrations, and one for each other app that has links to the model."""

    def _files(self) -> dict[str, Any]:
        self._check_copy()
        old, new = self.old.lower(), self.new.lower()
        target = self.before.clone()
        target.rename_model(self.app, self.old, self.new)
        create = self._file("create", self.app, f"create_{new}")
        self._add(create, self._creation(target))
        copy = self._file("copy", self.app, f"copy_{old}_to_{new}")
        tables = self._tables()
        point = self._file("point", self.app, f"point_links_to_{new}")
        types = registry.is_installed("django.contrib.contenttypes")
        if types:
            point.after.append(("contenttypes", "0002_remove_content_type_name"))
        files = {self.app: point}
        for app in self._other_apps():
            hint = f"inv scaffold-rename {self.app} {self.old} {self.new}   (RenameModel also changes the links)"
            self._may_write(app, f"{app} has links to {self.old}", hint)
            files[app] = self._file("point-other", app, f"point_links_to_{new}", (self.app, point.name))
        for link in self.links:
            self._point(files[link[0]], target, *link)
        others = [(file.app, file.name) for app, file in files.items() if app != self.app]
        delete = self._file("delete", self.app, f"delete_{old}", *others)
        self._add(delete, migrations.DeleteModel(self.old))
        options = self.before.models[self.app, old].options
        files[self.app] = delete
        self._along(files, self._wanted(options["indexes"], options["constraints"]), "after")
        module = self.loader.migrations_module(self.app)[0]
        return {"tables": tables, "copying": f"{module}.{copy.name}", "create": create.name, "types": types}

    def _check_copy(self) -> None:
        for app in self._other_apps():
            if app not in self.leaves:
                raise Cannot(f"{app} has links to {self.old} and no migrations", f"manage.py makemigrations {app}")
        for app, owner, name, _ in self.links:
            model = self.old if owner == self.new else owner
            field = self.before.models[app, model.lower()].fields[name]
            there = getattr(field.remote_field, "field_name", None)
            target = self.before.models[self.app, self.old.lower()].fields.get(there)
            if target is not None and not (target.primary_key or target.unique):
                raise Cannot(
                    f"{app}.{model}.{name} references {self.old}.{there}, which is unique only by a constraint in Meta",
                    f"set unique=True for {self.old}.{there}, or rename without --copy",
                )

    def _creation(self, target: Any) -> Any:
        """Return CreateModel without named indexes and constraints, since the old table still has their names."""
        model = target.models[self.app, self.new.lower()]
        names = {name: now for app, owner, name, now in self.links if (app, owner) == (self.app, self.new)}
        fields = [
            (names.get(name, name), self._created(names.get(name, name), field)) for name, field in model.fields.items()
        ]
        options = {
            name: value for name, value in model.options.items() if name not in ("indexes", "constraints", "db_table")
        }
        table = self._table()
        if table:
            options["db_table"] = table
        return migrations.CreateModel(self.new, fields, options, model.bases, model.managers)

    def _created(self, name: str, field: Any) -> Any:
        field = field.clone()
        if getattr(field.remote_field, "db_table", None):
            real = registry.get_model(self.app, self.new)._meta.get_field(name) if self.edited else None
            table = real.remote_field.db_table if real else None
            if table == field.remote_field.db_table:
                raise Cannot(
                    f"{self.new}.{name} has the same db_table as {self.old}.{name}; while both models exist they need "
                    "different tables",
                    f"set another db_table for {self.new}.{name} (or none), or rename without --copy",
                )
            if not real:
                self.todo.append(f"{self.new}.{name}: remove db_table={field.remote_field.db_table!r}")
            field.remote_field.db_table = field.db_table = table
            return field.clone()
        if self._is_self_link(field):
            # A batch may reference a row of a later batch; the constraint is added after all rows are copied.
            field.db_constraint = False
        return field

    def _is_self_link(self, field: Any) -> bool:
        to = getattr(field.remote_field, "model", None)
        itself = isinstance(to, str) and to.lower() in ("self", f"{self.app}.{self.new.lower()}")
        return itself and not field.many_to_many and field.db_constraint

    def _table(self) -> str:
        """Return the new table's name if it differs from Django's default; else ""."""
        old = self.before.apps.get_model(self.app, self.old)._meta.db_table
        if self.edited:
            now = self._table_now()
        else:
            custom = self.before.models[self.app, self.old.lower()].options.get("db_table")
            schema = QUALIFIED.match(custom or "")
            now = f'{schema[1]}"."{self.app}_{self.new.lower()}' if schema else ""
            now = f'"{now}"' if schema and custom.startswith('"') else now
            if custom:
                self.todo.append(
                    f"{self.new}.Meta: " + (f"db_table = {now!r}" if now else f"remove db_table = {custom!r}")
                )
        others = {model._meta.db_table: model._meta.label for model in self.before.apps.get_models()}
        wanted = now or f"{self.app}_{self.new.lower()}"
        if wanted in others:
            its = f"the table of {self.old if wanted == old else others[wanted]}"
            raise Cannot(
                f"{self.new} would have the table {wanted}, which is {its}; while both models exist they need "
                "different tables",
                f"write class {self.new} with another Meta.db_table in models.py, or rename without --copy",
            )
        return now

    def _tables(self) -> list[dict[str, Any]]:
        """Return the tables to copy: the model's table, and the tables that Django makes for many-to-many fields."""
        apps = self.state.apps
        old, new = apps.get_model(self.app, self.old), apps.get_model(self.app, self.new)
        names = {name: now for app, owner, name, now in self.links if (app, owner) == (self.app, self.new)}
        columns = [
            (field.column, new._meta.get_field(names.get(field.name, field.name)).column)
            for field in old._meta.local_concrete_fields
            if field.column and not getattr(field, "generated", False)
        ]
        tables = [table(old, new, columns)]
        for field in old._meta.local_many_to_many:
            through = field.remote_field.through
            other = new._meta.get_field(names.get(field.name, field.name))
            if through._meta.auto_created:
                pairs = [("id", "id"), (field.m2m_column_name(), other.m2m_column_name())]
                pairs.append((field.m2m_reverse_name(), other.m2m_reverse_name()))
                tables.append(table(through, other.remote_field.through, pairs))
        return tables

    def _point(self, file: File, target: Any, app: str, owner: str, name: str, now: str) -> None:
        """Change one link to reference the new model."""
        field = target.models[app, owner.lower()].fields[name]
        if (app, owner) == (self.app, self.new):
            if self._is_self_link(field):
                self._add(file, migrations.AlterField(owner, now, field))
            return
        if name != now:
            self._add(file, migrations.RenameField(owner, name, now))
        self._add(file, migrations.AlterField(owner, now, field))


def table(old: Any, new: Any, columns: list[tuple[str, str]]) -> dict[str, Any]:
    """Return one table to copy: names, primary key, columns, and the columns that have a sequence."""
    key = [field.column for field in getattr(old._meta, "pk_fields", None) or [old._meta.pk]]
    numbered = [field.column for field in old._meta.local_concrete_fields if "Auto" in field.get_internal_type()]
    names = {"from": old._meta.db_table, "to": new._meta.db_table}
    return {**names, "key": key, "numbered": numbered, "columns": dict(columns)}


def main(mark: str, app: str, old: str, new: str, copy: bool) -> None:
    """Print the answer after a mark."""
    try:
        said = (Copy if copy else Rename)(app, old, new).answer()
    except Cannot as cannot:
        said = cannot.said
    print(mark + json.dumps(said))
