# mypy: ignore-errors
"""Inside the application: describe how one operation changes tables and columns."""

from django.db import connection, migrations, models

from ops.application.inside.state import column_of, field_of, text_of, through_of

RENAMING = (migrations.RenameModel, migrations.RenameField, migrations.AlterField, migrations.AlterModelTable)


def model_of(state, app, name):
    """Return a model of a project state; None if it does not exist."""
    try:
        return state.apps.get_model(app, name)
    except LookupError:
        return None


def table_of(operation, model):
    """Return a model's table if Django makes or changes it on this connection; else ""."""
    if model is None or not operation.allow_migrate_model(connection.alias, model):
        return ""
    return model._meta.db_table


def describe(operation, app, before, after):
    """Return the tables and columns that an operation changes, before and after it."""
    if isinstance(operation, migrations.RenameModel):
        name, new = operation.old_name, operation.new_name
    else:
        name = new = getattr(operation, "model_name", None) or getattr(operation, "name", None)
    if not isinstance(name, str) or not hasattr(operation, "references_model"):
        return {}
    old, now = model_of(before, app, name), model_of(after, app, new)
    model = old if old is not None else now
    if model is None:
        return {}
    found = {"model": name.lower(), "model_name": model._meta.object_name}
    found["new_model_name"] = now._meta.object_name if now is not None else ""
    found["table"], found["new_table"] = table_of(operation, old), table_of(operation, now)
    found["managed"], found["proxy"] = bool(model._meta.managed), bool(model._meta.proxy)
    if isinstance(operation, (migrations.CreateModel, migrations.DeleteModel)):
        found["columns"] = [field_of(field) for field in model._meta.local_concrete_fields]
        made = [through_of(field) for field in model._meta.local_many_to_many]
        found["throughs"] = [through._meta.db_table for through in made if through is not None]
    elif hasattr(operation, "model_name"):
        found.update(field_change(operation, old, now, found))
    if isinstance(operation, RENAMING):
        found.update(renames(operation, app, before, after))
    found.update(constraint_of(operation, app, before, now))
    return found


def field_change(operation, old, now, found):
    """Return the field that an operation changes, before and after it."""
    rename = isinstance(operation, migrations.RenameField)
    name = operation.old_name if rename else getattr(operation, "name", "")
    if rename or isinstance(operation, (migrations.AddField, migrations.RemoveField, migrations.AlterField)):
        fields = one_field(old, name), one_field(now, operation.new_name if rename else name)
        written = getattr(operation, "field", None)
        changed = {"field": name}
        for field, key, table, column in zip(
            fields, ("before", "after"), ("table", "new_table"), ("column", "new_column")
        ):
            if field is None:
                continue
            changed[key] = field_of(field, written if key == "after" else None)
            changed[column] = column_of(field)
            if field.many_to_many:
                through = through_of(field)
                changed[table] = through._meta.db_table if through is not None and found[table] else ""
        if any(field is not None and field.many_to_many for field in fields):
            changed.update({table: "" for field, table in zip(fields, ("table", "new_table")) if field is None})
        return changed
    return {}


def one_field(model, name):
    """Return a model's own field; None if it has no field of that name."""
    own_fields = [] if model is None else [*model._meta.local_fields, *model._meta.local_many_to_many]
    return next((field for field in own_fields if field.name.lower() == name.lower()), None)


def constraint_of(operation, app, before, model):
    """Return the constraint that an operation adds: columns that are unique together, or a condition."""
    if isinstance(operation, migrations.AlterUniqueTogether) and model is not None:
        had = before.models[app, model._meta.model_name].options.get("unique_together") or ()
        new = sorted(set(operation.option_value or ()) - {tuple(names) for names in had})
        sets = [[model._meta.get_field(name).column for name in names] for names in new]
        return {"unique": [{"columns": columns, "where": ""} for columns in sets]}
    constraint = getattr(operation, "constraint", None)
    if constraint is None or model is None:
        return {}
    found = {"constraint": text_of(getattr(constraint, "name", ""))}
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        if isinstance(constraint, models.CheckConstraint):
            found["check"] = text_of(constraint._get_check_sql(model, editor))
        elif isinstance(constraint, models.UniqueConstraint) and constraint.fields:
            columns = [model._meta.get_field(name).column for name in constraint.fields]
            where = text_of(constraint._get_condition_sql(model, editor))
            together = {"columns": columns, "where": where}
            together["nulls"] = getattr(constraint, "nulls_distinct", None) is False
            found["unique"] = [together]
    return found


def renames(operation, app, before, after):
    """Return every table and column that an operation renames, including many-to-many tables."""
    tables, columns = [], []
    for old in before.apps.get_models():
        key = old._meta.app_label, old._meta.model_name
        moved = isinstance(operation, migrations.RenameModel) and key == (app, operation.old_name.lower())
        now = model_of(after, key[0], operation.new_name if moved else key[1])
        if now is None or not operation.allow_migrate_model(connection.alias, now):
            continue
        tables.append([old._meta.db_table, now._meta.db_table])
        for field in (*old._meta.local_concrete_fields, *old._meta.local_many_to_many):
            name = field.name
            if isinstance(operation, migrations.RenameField) and key == (app, operation.model_name.lower()):
                name = operation.new_name if name.lower() == operation.old_name.lower() else name
            new = one_field(now, name)
            if new is None:
                continue
            if not field.many_to_many:
                columns.append([old._meta.db_table, field.column, new.column])
            elif through_of(field) is not None and through_of(new) is not None:
                table = field.m2m_db_table()
                tables.append([table, new.m2m_db_table()])
                columns.append([table, field.m2m_column_name(), new.m2m_column_name()])
                columns.append([table, field.m2m_reverse_name(), new.m2m_reverse_name()])
    return {
        "tables_renamed": [pair for pair in tables if pair[0] != pair[1]],
        "columns_renamed": [one for one in columns if one[1] != one[2]],
    }
