# mypy: ignore-errors
"""Inside the application: describe models, fields and links of a project state."""

from django.apps import apps as current_apps
from django.db import connection, migrations, models, router
from django.db.migrations.state import ProjectState

MARK = "generalprobe:"


def state_now(executor):
    """Return the project state of the applied migrations."""
    state = ProjectState(real_apps=executor.loader.unmigrated_apps)
    for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes(), clean_start=True):
        if (migration.app_label, migration.name) in executor.loader.applied_migrations:
            migration.mutate_state(state, preserve=False)
    return state


def text_of(value):
    """Return a lazy or foreign value as text."""
    return "" if value is None else str(value)


def own(operation):
    """Return True if an operation is a class of Django with a known effect, not RunPython or RunSQL."""
    special = (migrations.RunPython, migrations.RunSQL)
    return type(operation).__module__.startswith("django.") and not isinstance(operation, special)


def idle(operation, app):
    """Return True if RunPython or RunSQL does nothing forwards: it only reverses, or is for another database."""
    if isinstance(operation, (migrations.RunPython, migrations.RunSQL)):
        if not router.allow_migrate(connection.alias, app, **operation.hints):
            return True
        nothing = operation.code is migrations.RunPython.noop if hasattr(operation, "code") else not operation.sql
        return type(operation).__module__.startswith("django.") and nothing
    return False


def acts_as(operation):
    """Return the Django operation from which a custom operation inherits."""
    names = [c.__name__ for c in type(operation).__mro__ if c.__module__.startswith("django.")]
    return names[0] if names else "Operation"


def plain(model):
    """Return True if a model has a table that Django makes."""
    return model._meta.managed and not model._meta.proxy and not model._meta.swapped


def tables_of(apps):
    """Return {"app.model": table} of the models that have a table."""
    found = [model for model in apps.get_models() if plain(model)]
    return {model._meta.app_label + "." + model._meta.model_name: model._meta.db_table for model in found}


def links_of(apps):
    """Return [table, column, to_table, to_column, constraint] of every foreign key, including many-to-many tables."""
    found = []
    for model in filter(plain, apps.get_models(include_auto_created=True)):
        for field in model._meta.local_fields:
            if isinstance(field, models.ForeignKey) and field.column:
                to = field.remote_field.model._meta.db_table
                constraint = bool(getattr(field, "db_constraint", True))
                found.append([model._meta.db_table, field.column, to, field.target_field.column, constraint])
    return sorted(found)


def generic_links():
    """Return [table, column of content type, column of object ID] of every generic link in the current code."""
    found = set()
    for model in filter(plain, current_apps.get_models()):
        for field in model._meta.private_fields:
            names = getattr(field, "ct_field", ""), getattr(field, "fk_field", "")
            if all(isinstance(name, str) and name for name in names):
                kind, key = (model._meta.get_field(name) for name in names)
                found.add((kind.model._meta.db_table, kind.column, key.column))
    return sorted(found)


def given(field):
    """Return True if a field has a default other than None."""
    return field.has_default() and field.default is not None


def fills(field):
    """Return True if Django gives existing rows a value when it adds the column."""
    if given(field) or getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return True
    if field.blank and not field.null and field.empty_strings_allowed:
        return True
    server = hasattr(field, "db_default") and field.db_default is not models.NOT_PROVIDED
    return server or getattr(field, "generated", False) or isinstance(field, models.AutoField)


def family(field):
    """Return the type without its length; Django casts explicitly between different families."""
    if field.is_relation:
        return text_of(field.rel_db_type(connection))
    known = connection.data_types.get(field.get_internal_type()) or field.db_type(connection)
    return getattr(known, "__name__", text_of(known))


def through_of(field):
    """Return the model of the table that Django makes for a many-to-many field; None for any other field."""
    through = getattr(field.remote_field, "through", None) if field.remote_field else None
    return through if through is not None and through._meta.auto_created and plain(through) else None


def column_of(field):
    """Return a field's column; empty if the model's table has no column for it."""
    return "" if field.many_to_many else field.column or ""


def field_of(field, written=None):
    """Describe a field of a project state; ``written`` is the operation's field, which may have a one-off default."""
    default = written if written is not None else field
    found = {"name": field.name, "kind": type(field).__name__, "column": column_of(field), "null": field.null}
    found["many"] = bool(field.many_to_many)
    found["type"] = "" if found["many"] else text_of(field.db_type(connection))
    found["family"] = "" if found["many"] else family(field)
    found["unique"] = bool(field.unique)
    found["primary_key"] = bool(field.primary_key)
    found["default"], found["fills"] = bool(given(default)), bool(fills(default) or fills(field))
    found["db_default"] = hasattr(default, "db_default") and default.db_default is not models.NOT_PROVIDED
    found["generated"] = bool(getattr(field, "generated", False))
    for ours, theirs in (("length", "max_length"), ("digits", "max_digits"), ("decimals", "decimal_places")):
        found[ours] = getattr(field, theirs, None)
    if field.remote_field and field.remote_field.model:
        found["remote"] = field.remote_field.model._meta.db_table
        found["constraint"] = bool(getattr(field, "db_constraint", True))
        if found["many"]:
            found["through"] = field.remote_field.through._meta.db_table
            found["auto"] = through_of(field) is not None
        elif getattr(field, "foreign_related_fields", ()):
            found["remote_column"] = field.foreign_related_fields[0].column
    return found
