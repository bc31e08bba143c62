"""Fills the tables of any Django application with rows that its own columns admit, through its own models.

It runs inside the old release: keep it to what Python 3.8 and Django 2.2 know. ``save`` methods and validators are not
called: they ask for images, trees or remote services; a seed that wants them calls the application itself first.
"""

import binascii
import datetime
import decimal
import os
import uuid

PIXEL = (
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000 1f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
).replace(" ", "")

from seeding import WORDS, moment, rng, words


def autofill(*labels, rows=25, skip=(), given=None):
    """Fill all models of some applications.

    Args:
        labels: the applications' labels.
        rows: about how many rows each table gets.
        skip: models that are left alone, as ``label.Model``.
        given: for ``label.Model.field`` a function of the row's number that gives its value.

    Returns:
        the number of rows by model.
    """
    from django.apps import apps

    wanted = [model for label in labels for model in apps.get_app_config(label).get_models()]
    wanted = [m for m in wanted if m._meta.label not in skip and m._meta.managed and not m._meta.proxy]
    made, left = {}, list(wanted)
    for _ in range(6):
        again = []
        for model in left:
            count = _fill(model, rows, given or {}, wanted)
            made[model._meta.label] = made.get(model._meta.label, 0) + count
            if count == 0:
                again.append(model)
        if not again or len(again) == len(left):
            break
        left = again
    for model in wanted:
        _fill_many_to_many(model)
    for label, count in sorted(made.items()):
        print(label, count)
    return made


def _fill(model, rows, given, wanted):
    from django.db import Error, transaction

    done, last = 0, None
    for n in range(rows):
        try:
            with transaction.atomic():
                thing = model()
                if not _set_all(thing, n, given, wanted):
                    return done
                if last is not None and n % 9 == 0:
                    _make_twin(thing, last, given)
                thing.save_base(force_insert=not model._meta.parents)
            last = thing
            done += 1
        except (Error, ValueError, TypeError, AttributeError) as error:
            if n == 0:
                print(model._meta.label, type(error).__name__, str(error).split("\n")[0])
    return done


def _set_all(thing, n, given, wanted):
    """Set every field; False where a row that it must link to does not exist yet."""
    meta = type(thing)._meta
    generic = {}
    for field in meta.private_fields:
        if hasattr(field, "ct_field"):
            generic[field.ct_field], generic[field.fk_field] = _generic(wanted)
    for field in meta.concrete_fields:
        name = meta.label + "." + field.name
        if name in given:
            setattr(thing, field.attname, given[name](n))
        elif field.name in generic:
            value = generic[field.name]
            if value is None and not field.null:
                return False
            setattr(thing, field.attname, value)
        elif field.is_relation:
            if field.remote_field.parent_link:
                continue
            found, value = _link(type(thing), field)
            if not found:
                return False
            setattr(thing, field.attname, value)
        elif not (field.primary_key and field.get_internal_type() in ("AutoField", "BigAutoField", "SmallAutoField")):
            value = _value(meta, field, n)
            if value is not Ellipsis:
                setattr(thing, field.attname, value)
    return True


def _make_twin(thing, last, given):
    """Make it equal to the row before, but for what must be unique."""
    bound = {name for names in thing._meta.unique_together for name in names}
    for field in thing._meta.concrete_fields:
        chosen = thing._meta.label + "." + field.name in given
        if not (field.unique or field.primary_key or field.name in bound or chosen):
            setattr(thing, field.attname, getattr(last, field.attname))


def _generic(wanted):
    from django.contrib.contenttypes.models import ContentType

    for model in rng.sample(wanted, len(wanted)):
        keys = list(model._base_manager.values_list("pk", flat=True)[:50])
        if keys:
            return ContentType.objects.get_for_model(model, for_concrete_model=False).pk, rng.choice(keys)
    return None, None


def _link(model, field):
    if field.null and rng.random() < 0.25:
        return True, None
    to = field.target_field.attname
    target = field.remote_field.model
    keys = list(target._base_manager.values_list(to, flat=True)[:200])
    if field.unique:
        taken = set(model._base_manager.values_list(field.attname, flat=True))
        keys = [key for key in keys if key not in taken]
    if keys:
        return True, rng.choice(keys)
    return field.null, None


def _value(meta, field, n):
    unique = field.unique or any(field.name in names for names in meta.unique_together)
    if field.null and not field.primary_key and rng.random() < 0.25:
        return None
    if field.choices and not field.unique:
        flat = list(field.flatchoices)
        if flat:
            return rng.choice(flat)[0]
    if field.has_default() and not unique and rng.random() < 0.4:
        return Ellipsis
    return _typed(field, n, unique)


def _typed(field, n, unique):
    kind = field.get_internal_type()
    size = getattr(field, "max_length", None) or 60
    name = type(field).__name__
    if kind == "BooleanField" or kind == "NullBooleanField":
        return rng.random() < 0.5
    if "Integer" in kind:
        return n + 1 if unique else rng.randrange(0 if "Positive" in kind else -5, 1000)
    if kind == "FloatField":
        return rng.choice([0.1, -0.0, 1.5, 1e10, rng.random()])
    if kind == "DecimalField":
        whole = min((field.max_digits or 12) - (field.decimal_places or 0), 4)
        step = decimal.Decimal(10) ** -(field.decimal_places or 0)
        return (decimal.Decimal(rng.randrange(10**whole)) * (1 - step)).quantize(step) if whole else decimal.Decimal(0)
    if kind == "DateTimeField":
        return moment()
    if kind == "DateField":
        return moment().date()
    if kind == "TimeField":
        return moment().time()
    if kind == "DurationField":
        return datetime.timedelta(seconds=rng.randrange(10**6))
    if kind == "UUIDField":
        return uuid.UUID(int=rng.getrandbits(128))
    if kind == "BinaryField":
        return bytes(rng.randrange(256) for _ in range(12))
    if "IPAddress" in kind:
        return rng.choice(["127.0.0.1", "10.1.2.3", "2001:db8::%x" % n][: 3 if kind == "GenericIPAddressField" else 2])
    if "JSON" in kind or "JSON" in name:
        return {"n": n, "text": words(2), "none": None, "list": [1, 2.5, True], "deep": {"k": "v"}}
    if kind == "ArrayField":
        return [_typed(field.base_field, n, False) for _ in range(rng.randrange(3))]
    if kind in ("FileField", "ImageField", "FilePathField"):
        return _file("files/%d.png" % n)[:size]
    if kind == "SlugField" or name == "SlugField":
        return ("%d-slug" % n)[:size]
    if name == "EmailField":
        return ("person%d@example.com" % n)[:size]
    if name == "URLField":
        return ("https://example.com/%d" % n)[:size]
    if kind in ("CharField", "TextField"):
        if field.blank and not unique and rng.random() < 0.2:
            return ""
        text = words(3 if kind == "CharField" else 12)
        return ("%d %s" % (n, text) if unique else text)[:size]
    return Ellipsis


def _file(name):
    """A picture of one pixel, since image fields measure what they are given."""
    from django.conf import settings

    path = os.path.join(settings.MEDIA_ROOT, name)
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(binascii.unhexlify(PIXEL))
    return name


def _fill_many_to_many(model):
    from django.db import Error, transaction

    for field in model._meta.local_many_to_many:
        through = field.remote_field.through
        if not through._meta.auto_created:
            continue
        mine = list(model._base_manager.values_list("pk", flat=True)[:100])
        theirs = list(field.remote_field.model._base_manager.values_list("pk", flat=True)[:100])
        pairs = (
            sorted({(rng.choice(mine), rng.choice(theirs)) for _ in range(len(mine))}, key=str)
            if mine and theirs
            else []
        )
        source = through._meta.get_field(field.m2m_field_name()).attname
        to = through._meta.get_field(field.m2m_reverse_field_name()).attname
        try:
            with transaction.atomic():
                through._base_manager.bulk_create([through(**{source: a, to: b}) for a, b in pairs])
        except Error as error:
            print(model._meta.label, field.name, type(error).__name__)


__all__ = ["WORDS", "autofill"]
