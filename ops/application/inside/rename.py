# mypy: disable-error-code="import-untyped"
"""Inside the application: make the migrations that rename a model, and print them as one line of JSON.

The program reads the migrations on disk and the current models, and connects to no database. Django applies the
operations to its project state and writes them as source.
"""

import keyword
import os
import re
from difflib import get_close_matches
from importlib import import_module
from inspect import getsourcefile
from typing import Any

from django.apps import apps as registry
from django.db import migrations
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState
from django.db.migrations.utils import get_references
from django.db.migrations.writer import OperationWriter

COMMAND = "inv scaffold-rename"
# Operations that a rename causes: derived names and options. Any other change belongs into another migration.
COMES_ALONG = {
    *("AddIndex", "RemoveIndex", "RenameIndex", "AddConstraint", "RemoveConstraint", "AlterConstraint"),
    *("AlterUniqueTogether", "AlterModelOptions", "AlterModelManagers", "AlterModelTable"),
}


class Cannot(Exception):
    """The rename is impossible.

    Args:
        message: the reason.
        hint: what to type.
        usage: the command line is wrong.
        remove: the file that must be removed first.
    """

    def __init__(self, message: str, hint: str, usage: bool = False, remove: str = "") -> None:
        super().__init__(message)
        self.said = {"cannot": message, "hint": hint, "usage": usage, "remove": remove}


class File:
    """One migration to write."""

    def __init__(self, role: str, app: str, name: str, folder: str, after: list[tuple[str, str]]) -> None:
        self.role, self.app, self.name, self.path = role, app, name, os.path.join(folder, name + ".py")
        self.after = after
        self.parts: dict[str, list[Any]] = {"operations": []}

    def data(self) -> dict[str, Any]:
        """Return the migration for JSON, with the operations as source."""
        parts, imports = {}, set()
        for part, operations in self.parts.items():
            written = [OperationWriter(operation, indentation=2).serialize() for operation in operations]
            parts[part] = [text for text, _ in written]
            imports |= {line for _, lines in written for line in lines}
        for line in imports:
            if re.match(r"^import .*\.\d", line):
                raise Cannot(
                    f"{self.app}: a field of the model uses a function of the migration {line.split()[1]}, which "
                    "another migration can't import",
                    f"move that function into a separate module, such as {self.app}/defaults.py",
                )
        with_models = "from django.db import models" in imports
        imports.discard("from django.db import models")
        imports.add("from django.db import migrations" + ", models" * with_models)
        return {
            **{"role": self.role, "app": self.app, "name": self.name, "path": self.path, "parts": parts},
            "imports": sorted(imports, key=lambda line: (line.split()[0] == "from", line.split()[1])),
            "dependencies": [list(pair) for pair in self.after],
        }


class Rename:
    """One rename. ``state`` is the project state after the operations written so far."""

    def __init__(self, app: str, old: str, new: str) -> None:
        self.app, self.new = app, new
        self.loader = MigrationLoader(None)
        self._check_app()
        self.before = self.loader.project_state()
        self.old = self._check_names(old)
        self.state = self.before.clone()
        self._check_model()
        self.edited = new.lower() in registry.all_models[app]
        self.links = self._links()
        self.leaves = {key[0]: key for key in self.loader.graph.leaf_nodes()}
        self.files: list[File] = []
        self.todo: list[str] = []
        self.left: list[str] = []

    def answer(self) -> dict[str, Any]:
        """Return the files and the remaining work of the developer, for JSON."""
        said = self._files()
        self._tell()
        return {
            **{"app": self.app, "old": self.old, "new": self.new, "edited": self.edited, "todo": self.todo},
            **{"left": self.left, "files": [file.data() for file in self.files], **said},
            "auth": registry.is_installed("django.contrib.auth"),
        }

    # Checks.

    def _check_app(self) -> None:
        labels = sorted(registry.app_configs)
        if self.app not in labels:
            raise Cannot(f"there is no app {self.app!r}{near(self.app, labels)}", f"{COMMAND} APP OLD NEW", usage=True)
        if self.app not in self.loader.migrated_apps:
            raise Cannot(f"{self.app} has no migrations", f"manage.py makemigrations {self.app}")
        self._may_write(
            self.app, f"{self.app} needs a new migration", f"{COMMAND} APP OLD NEW   (an app of your project)"
        )
        conflicts = self.loader.detect_conflicts()
        if conflicts:
            names = "; ".join(f"{app}: {', '.join(sorted(found))}" for app, found in sorted(conflicts.items()))
            raise Cannot(f"conflicting migrations: {names}", "manage.py makemigrations --merge")

    def _check_names(self, old: str) -> str:
        names = {model.name.lower(): model.name for (app, _), model in self.before.models.items() if app == self.app}
        if (
            not self.new.isidentifier()
            or keyword.iskeyword(self.new)
            or "__" in self.new
            or "_" in self.new[0] + self.new[-1]
        ):
            raise Cannot(f"{self.new!r} is no valid model name", f"{COMMAND} {self.app} {old} NEW", usage=True)
        if old.lower() not in names:
            self._check_last(old)
            also = f", and {self.new} exists" if self.new.lower() in names else ""
            close = near(old, sorted(names.values()))
            hint = f"{COMMAND} {self.app} OLD {self.new}"
            raise Cannot(f"the migrations of {self.app} have no model {old!r}{close}{also}", hint, usage=True)
        if self.new.lower() in names:
            same = self.new.lower() == old.lower()
            why = "differ only in upper and lower case" if same else f"both exist in the migrations of {self.app}"
            raise Cannot(f"{names[old.lower()]} and {self.new} {why}", f"{COMMAND} {self.app} {old} NEW", usage=True)
        return str(names[old.lower()])

    def _check_last(self, old: str) -> None:
        """Refuse if the last migration deletes the old model and creates the new one; the rename would replace it."""
        for key in self.loader.graph.leaf_nodes(self.app):
            migration = self.loader.get_migration(*key)
            does = {(type(one).__name__, getattr(one, "name", "").lower()) for one in migration.operations}
            alone = not self.loader.graph.node_map[key].children
            if alone and {("DeleteModel", old.lower()), ("CreateModel", self.new.lower())} <= does:
                raise Cannot(
                    f"{self.app}.{key[1]} deletes {old} with its rows and creates {self.new}; if it was applied to "
                    "clones only, remove it first",
                    f"{COMMAND} {self.app} {old} {self.new}",
                    remove=getsourcefile(type(migration)) or "",
                )

    def _check_model(self) -> None:
        model, label = self.before.models[self.app, self.old.lower()], f"{self.app}.{self.old}"
        kind = "a proxy" if model.options.get("proxy") else "not managed by Django"
        if model.options.get("proxy") or not model.options.get("managed", True):
            raise Cannot(f"{label} is {kind}: it has no table to rename", "rename it in models.py")
        for name in (label, f"{self.app}.{self.new}"):
            setting = registry.get_swappable_settings_name(name)
            if setting:
                raise Cannot(
                    f"{label} is the model of settings.{setting}, which earlier migrations read: a rename would "
                    "break them",
                    f"keep the name, or change Meta.verbose_name of {self.old}",
                )
        heirs = [
            f"{heir.app_label}.{heir.name}"
            for heir in self.before.models.values()
            if any(isinstance(base, str) and base.lower() == label.lower() for base in heir.bases)
        ]
        if heirs:
            raise Cannot(
                f"{', '.join(sorted(heirs))} inherits from {label}; a migration can't change a model's bases",
                "replace the inheritance by a OneToOneField first; or keep the name and change verbose_name",
            )
        if not {self.new.lower(), self.old.lower()} & registry.all_models[self.app].keys():
            raise Cannot(
                f"the models of {self.app} have neither {self.old} nor {self.new}",
                f"write class {self.new} (or {self.old}) in the models of {self.app}",
            )

    # Lookups.

    def _links(self) -> list[tuple[str, str, str, str]]:
        """Return the fields that reference the old model: app, model's new name, field, field's new name."""
        found = []
        for model, name, _, _ in get_references(self.before, (self.app, self.old.lower())):
            itself = (model.app_label, model.name_lower) == (self.app, self.old.lower())
            owner = self.new if itself else model.name
            found.append((model.app_label, owner, name, self._name_now(model, owner, name)))
        return found

    def _name_now(self, model: Any, owner: str, name: str) -> str:
        """Return the name of a link's field in models.py: the only new field of the same kind, if there is one."""
        real = registry.all_models[model.app_label].get(owner.lower())
        if real is None or not self.edited:
            return name
        fields = {field.name: field for field in (*real._meta.local_fields, *real._meta.local_many_to_many)}
        fresh = [
            field.name
            for field in fields.values()
            if field.name not in model.fields
            and type(field) is type(model.fields[name])
            and getattr(field.remote_field.model, "_meta", None) is not None
            and field.remote_field.model._meta.label_lower == f"{self.app}.{self.new.lower()}"
        ]
        return str(fresh[0]) if name not in fields and len(fresh) == 1 else name

    def _folder(self, app: str) -> str:
        return str(import_module(self.loader.migrations_module(app)[0]).__path__[0])

    def _may_write(self, app: str, why: str, hint: str) -> None:
        folder = self._folder(app)
        if "site-packages" in folder or "dist-packages" in folder or not os.access(folder, os.W_OK):
            raise Cannot(f"{why}, and the folder of its migrations is installed or not writable ({folder})", hint)

    def _file(self, role: str, app: str, what: str, *after: tuple[str, str]) -> File:
        last = self.leaves[app]
        number = (MigrationAutodetector.parse_number(last[1]) or 0) + 1
        file = File(
            role, app, f"{number:04d}_{what}"[:100], self._folder(app), [last, *(a for a in after if a != last)]
        )
        self.leaves[app] = (app, file.name)
        self.files.append(file)
        return file

    def _add(self, file: File, operation: Any, part: str = "operations") -> None:
        operation.state_forwards(file.app, self.state)
        file.parts.setdefault(part, []).append(operation)

    def _other_apps(self) -> list[str]:
        return sorted({app for app, *_ in self.links if app != self.app})

    # The migrations.

    def _files(self) -> dict[str, Any]:
        others = [self.leaves[app] for app in self._other_apps() if app in self.leaves]
        file = self._file("rename", self.app, f"rename_{self.old.lower()}_{self.new.lower()}", *others)
        table = self._table_now()
        if table and table != self.before.models[self.app, self.old.lower()].options.get("db_table"):
            # First, so that RenameModel finds the final table name and does not rename the table again.
            self._add(file, migrations.AlterModelTable(self.old, table))
        self._add(file, migrations.RenameModel(self.old, self.new))
        first = (self.app, file.name)
        changed = {app for app, _, name, now in self.links if name != now}
        files = {self.app: file}
        for app in sorted(changed - {self.app}):
            why = f"a field of {app} that references {self.old} has another name in its models"
            self._may_write(app, why, f"restore the field's name in {app}")
            what = f"rename_links_to_{self.new.lower()}"
            files[app] = self._file("rename-links", app, what, first)
        for app, owner, name, now in self.links:
            if name != now:
                self._add(files[app], migrations.RenameField(owner, name, now))
        self._along(files, self._wanted())
        return {}

    def _table_now(self) -> str:
        if not self.edited:
            return ""
        meta = registry.get_model(self.app, self.new)._meta
        return str(meta.db_table) if "db_table" in meta.original_attrs else ""

    def _wanted(self, indexes: Any = None, constraints: Any = None) -> Any:
        """Return the intended state of the models: the current models if edited, else those with a renamed class."""
        if self.edited:
            return ProjectState.from_apps(registry)
        wanted = self.state.clone()
        model = wanted.models[self.app, self.new.lower()]
        found = model.options["indexes"] if indexes is None else indexes
        model.options["indexes"] = [self._named(index) for index in found]
        if constraints is not None:
            model.options["constraints"] = list(constraints)
        return wanted

    def _named(self, index: Any) -> Any:
        """Return an index with the name that Django derives for the new model, if the old name was derived, too."""
        old, renamed = index.clone(), index.clone()
        if index.expressions:
            return renamed
        old.name = renamed.name = ""
        old.set_name_with_model(self.before.apps.get_model(self.app, self.old))
        if old.name != index.name:
            renamed.name = index.name
            return renamed
        renamed.set_name_with_model(self.state.apps.get_model(self.app, self.new))
        return renamed

    def _along(self, files: dict[str, File], wanted: Any, part: str = "operations") -> None:
        """Add the operations that the rename causes; note the other operations that makemigrations would write."""
        detector = MigrationAutodetector(self.state, wanted, MigrationQuestioner(dry_run=True))
        mine = {(app, owner.lower()) for app, owner, _, _ in self.links} | {(self.app, self.new.lower())}
        for app, found in detector._detect_changes().items():
            for operation in (operation for migration in found for operation in migration.operations):
                owner = getattr(operation, "model_name", getattr(operation, "name", "")).lower()
                if app in files and (app, owner) in mine and self._comes_along(app, operation):
                    self._add(files[app], operation, part)
                else:
                    self.left.append(f"{app}: {operation.describe()}")

    def _comes_along(self, app: str, operation: Any) -> bool:
        kind = type(operation).__name__
        if kind != "AlterField":
            return kind in COMES_ALONG
        old = self.state.models[app, operation.model_name_lower].fields[operation.name]
        return bool(plain(old) == plain(operation.field))

    # The developer's work.

    def _tell(self) -> None:
        """Add the changes of models.py to ``todo``."""
        todo = []
        real = registry.all_models[self.app].get(self.old.lower())
        if real is not None:
            word = f"remove class {self.old}" if self.edited else f"class {self.old} becomes class {self.new}"
            todo.append(f"{source(real)}: {word}")
        for app, owner, name, _ in self.links if not self.edited else ():
            model = registry.all_models[app].get(self.old.lower() if owner == self.new else owner.lower())
            if model is not None:
                todo.append(f"{source(model)}: {owner}.{name} references {self.new}; keep its name")
        self.todo = todo + self.todo


def plain(field: Any) -> Any:
    """Return the attributes of a field that affect the database."""
    _, path, arguments, named = field.deconstruct()
    return path, arguments, {name: value for name, value in named.items() if name not in field.non_db_attrs}


def source(model: Any) -> str:
    """Return the file of a model, relative to the folder of manage.py."""
    return os.path.relpath(getsourcefile(model) or "models.py")


def near(name: str, names: list[str]) -> str:
    """Return the nearest names as text."""
    by_case = {known.lower(): known for known in names}
    close = [by_case[found] for found in get_close_matches(name.lower(), by_case, 3, 0.5)]
    return f"; near: {', '.join(close)}" if close else f"; there are: {', '.join(names[:8])}" if names else ""
