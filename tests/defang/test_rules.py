"""Names and their quoting, masks, patterns, rules and the draft of a defang: without a database."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml as pyyaml
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from ops.core.errors import InventoryError
from ops.core.sql_names import literal, parse, sql, written, yaml
from ops.defang.catalog import Catalog, Column, Table
from ops.defang.gate import draft, unclassified
from ops.defang.masks import MASKS
from ops.defang.patterns import PATTERNS, Suspect, suspects, words
from ops.defang.rules import RULES
from ops.defang.worklist import make_worklist
from ops.infra.postgres.client import parts_of
from ops.infra.session.derived_targets import led
from ops.infra.session.session import Session
from ops.inventory import defang as inventory
from ops.inventory.defang import Defang
from ops.inventory.load import load

ROOT = Path(__file__).parents[2]
ODD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    lambda text: len(text.encode()) <= 63
)
NAMES = st.lists(ODD, min_size=2, max_size=3).map(tuple)


@given(NAMES)
@example(("public", "a.b", 'c"d'))
@example(("public", "a", "x" * 63))
@example(("-", ":a", "\\'"))
def test_a_name_is_what_it_was_after_writing_and_reading(name: tuple[str, ...]) -> None:
    assert parse(written(name)) == name


@given(NAMES)
def test_a_quoted_name_is_one_word_of_sql(name: tuple[str, ...]) -> None:
    parts = re.fullmatch(r'("(?:[^"]|"")+")(?:\.("(?:[^"]|"")+"))(?:\.("(?:[^"]|"")+"))?', sql(name))
    assert parts
    found = [part[1:-1].replace('""', '"') for part in parts.groups() if part]
    assert tuple(found) == name


@given(NAMES)
@example(("public", "null", "yes"))
@example(("public", "a b", "c: d # e"))
@example(("a", "\n\x85\u2028\ufeff", "'\"\\"))
def test_a_name_is_what_it_was_after_yaml(name: tuple[str, ...]) -> None:
    text = f"mask:\n  {yaml(written(name))}: email\nkeep:\n  - {yaml(written(name))}\n"
    for found in (pyyaml.safe_load(text), YAML(typ="safe").load(text)):
        assert [parse(key) for key in found["mask"]] == [name] and parse(found["keep"][0]) == name


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", 'a."b', 'a.b"c', 'a."b"c', '""', "a" * 64, "ä" * 32])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="well-formed|63 bytes"):
        parse(text)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_literal_ends_where_it_ends(text: str) -> None:
    assert re.fullmatch(r"'(?:[^']|'')*'", literal(text)) and literal(text)[1:-1].replace("''", "'") == text


# --- masks -----------------------------------------------------------------------------------------------------------

TEXT = Column("c", "varchar")


@pytest.mark.parametrize(
    ("mask", "column", "why"),
    [
        ("email", Column("c", "varchar", 254, required=True, single=True), ""),
        ("email", Column("c", "varchar", 36, single=True), "holds 36 characters, and the mask needs 37, since"),
        ("email", Column("c", "varchar", 29), ""),
        ("email", Column("c", "varchar", 28), "holds 28 characters, and the mask needs 29"),
        ("email", Column("c", "int4"), "does not support the type int4"),
        ("email", Column("c", "text", made=True), "the server generates its values"),
        ("email", Column("c", "citext", single=True), ""),
        ("name", Column("c", "varchar", 9), ""),
        ("name", Column("c", "varchar", 8), "needs 9"),
        ("digits", Column("c", "varchar", 18, single=True), ""),
        ("digits", Column("c", "varchar", 17, single=True), "needs 18"),
        ("token", Column("c", "uuid", single=True), ""),
        ("token", Column("c", "varchar", 40, single=True), ""),
        ("null", Column("c", "int4"), ""),
        ("null", Column("c", "int4", required=True), "is NOT NULL"),
        ("null", Column("c", "text", single=True), ""),
        ("empty", Column("c", "jsonb"), ""),
        ("empty", Column("c", "text", single=True), "must be unique"),
        ("empty", Column("c", "int4"), "does not support the type"),
        ("year", Column("c", "date"), ""),
        ("year", Column("c", "date", single=True), "must be unique"),
        ("zero", Column("c", "numeric"), ""),
        ("ip", Column("c", "inet", single=True), ""),
        ("ip", TEXT, "does not support the type varchar"),
    ],
)
def test_what_a_mask_takes(mask: str, column: Column, why: str) -> None:
    said = MASKS[mask].refuses(column)
    assert why in said if why else said == ""


# --- patterns and rules ----------------------------------------------------------------------------------------------


def catalog(table: str, *columns: Column) -> Catalog:
    name = ("public", table)
    return {name: Table(name, {column.name: column for column in columns})}


@pytest.mark.parametrize(
    ("table", "column", "base", "mask"),
    [
        ("auth_user", "email", "varchar", "email"),
        ("auth_user", "first_name", "varchar", "name"),
        ("auth_user", "username", "varchar", "name"),
        ("shop_order", "shippingAddress2", "text", "text"),
        ("shop_order", "contact_email_address", "citext", "email"),
        ("shop_customer", "name", "varchar", "name"),
        ("lessons_teacher", "name", "varchar", "name"),
        ("a", "phone_number", "varchar", "digits"),
        ("a", "mobile", "int8", "null"),
        ("a", "date_of_birth", "date", "year"),
        ("a", "iban", "varchar", "text"),
        ("a", "last_ip", "inet", "ip"),
        ("a", "seen_from", "inet", "ip"),
        ("a", "remote_addr", "varchar", "text"),
        ("a", "api_key", "varchar", "token"),
        ("a", "reset_token", "uuid", "token"),
        ("a", "client_secret", "text", "token"),
        ("a", "Telefon", "text", "digits"),
        ("a", "geburtsdatum", "timestamptz", "year"),
    ],
)
def test_what_looks_like_personal_data(table: str, column: str, base: str, mask: str) -> None:
    assert [one.mask for one in suspects(catalog(table, Column(column, base)))] == [mask]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("shop_product", Column("name", "varchar")),
        ("auth_group", Column("name", "varchar")),
        ("auth_permission", Column("codename", "varchar")),
        ("django_content_type", Column("model", "varchar")),
        ("django_migrations", Column("app", "varchar")),
        ("shop_order", Column("email_id", "int4", linked=True)),
        ("shop_order", Column("address_id", "int8", linked=True)),
        ("shop_order", Column("emailed", "bool")),
        ("shop_order", Column("has_phone", "bool")),
        ("shop_order", Column("shipped_at", "timestamptz")),
        ("shop_page", Column("title", "varchar")),
        ("shop_page", Column("description", "text")),
        ("shop_tip", Column("tip", "text")),
        ("shop_zip", Column("equipment", "text")),
        ("shop_ship", Column("shipping", "text")),
        ("shop_page", Column("email", "text", made=True)),
    ],
)
def test_what_does_not(table: str, column: Column) -> None:
    assert list(suspects(catalog(table, column))) == []


def test_words_of_names() -> None:
    assert words("homePhone-2") == "home_phone_2" and words("E_Mail") == "e_mail" and words("ÖdeName") == "öde_name"


def test_every_pattern_rule_and_mask_is_whole() -> None:
    for pattern in PATTERNS:
        assert pattern.what and set(pattern.masks) <= set(MASKS)
        re.compile(pattern.column)
    assert (tuple(MASKS), tuple(RULES)) == (inventory.MASKS, inventory.RULES)
    for name, mask in MASKS.items():
        assert mask.does, name
    for name, rule in RULES.items():
        assert rule.what and rule.why and rule.parts, name
        for part in rule.parts:
            assert bool(part.value) == bool(part.undone) and set(part.masks) <= set(MASKS)
            assert bool(part.column) == bool(part.value or part.masks), name
            re.compile(part.table), re.compile(part.column)


def test_what_is_kept_is_kept_from_rules_and_a_mask_goes_before_them() -> None:
    tables = catalog("django_session", Column("session_key", "varchar", 40, required=True))
    tables |= catalog("a", Column("callback_url", "varchar", 200), Column("webhook_url", "varchar", 200))
    found = make_worklist(Defang(keep=("public.a.callback_url",), mask={"public.a.webhook_url": "null"}), tables)
    assert list(found.emptied) == [("public", "django_session")]
    assert {name[2]: (one.by, one.value) for name, one in found.masked.items()} == {
        "webhook_url": ("public.a.webhook_url", "NULL")
    }
    assert not make_worklist(Defang(keep=("public.django_session",)), tables).emptied
    assert not make_worklist(Defang(rules=()), tables).masked


def test_what_is_kept_and_is_not_there_is_told_in_order() -> None:
    names = [f"public.{letter}" for letter in "kdagcebfhji"]
    assert [one.name for one in make_worklist(Defang(keep=tuple(names)), {}).objections] == sorted(names)


# --- the draft -------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(ODD, ODD), min_size=1, max_size=5, unique=True), st.booleans())
def test_a_draft_is_yaml_for_the_key_and_leaves_nothing_unclassified(names: list[tuple[str, str]], bare: bool) -> None:
    tables: Catalog = {}
    for schema, table in names:
        tables[schema, table] = Table((schema, table), {"email": Column("email", "varchar", 254, single=True)})
    before = Defang() if bare else Defang(sql=("a b.sql", "'x'"), rules=(), keep=("public.x",), clear=("public.y",))
    text = draft(before, make_worklist(before, tables).unclassified, "          ")
    given = Defang.model_validate(YAML(typ="safe").load(text)["defang"])
    assert make_worklist(given, tables).unclassified == []
    assert (given.sql, given.rules, given.keep, given.clear) == (before.sql, before.rules, before.keep, before.clear)


INVENTORY = """
all:
  children:
    production:
      hosts:
        shop:
          database: env:X
          test: shop-test
          defang: %s
    test: {hosts: {shop-test: {database: env:Y}}}
"""


def test_only_columns_that_no_mask_fits_are_told_to_be_cleared_or_kept(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(INVENTORY % "{}")
    session, defang = Session(load(path), {}), Defang()
    easy = Suspect(("public", "a", "email"), "an address", "email")
    hard = Suspect(("public", "b", "face"), "a face", "")
    assert "No mask fits" not in unclassified(session, "shop", defang, [easy])
    said = unclassified(session, "shop", defang, [easy, hard])
    assert said.startswith("inventory.yaml:9: shop: 2 columns look like personal data")
    assert "\nNo mask fits public.b.face: `clear` the table, `keep` the column," in said


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("{mask: {auth_user.email: email}}", "is not schema.table.column", "mask: {public.auth_user.email: email}"),
        ("{mask: {public.a.b: emial}}", "is not a known mask", "write `email`"),
        ("{mask: {public.a.b: 3}}", "`defang.mask.public.a.b` should be text", "defang: {mask"),
        ("{rules: [session]}", "is not a known rule", "write `sessions`"),
        ("{clear: [public.a.b]}", "is not schema.table", "clear: [public.big_log]"),
        ("{keep: ['a.\"b']}", "is not well-formed", "keep: [public.shop_product.name]"),
        ("{mask: {public.a.b: email}, keep: [public.a.b]}", "that it also masks or clears", "remove it"),
        ("{musk: {}}", "is an unknown key", "write `mask:`"),
        ("", "is empty", "defang: {}"),
        ("[]", "`defang`", "defang: {mask"),
    ],
)
def test_a_wrong_key_is_refused_with_its_line(tmp_path: Path, text: str, said: str, hint: str) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(INVENTORY % text)
    with pytest.raises(InventoryError) as caught:
        load(path)
    assert f"{path}:9: " in caught.value.message and said in caught.value.message, caught.value.message
    assert hint in caught.value.hint


def test_yamls_null_is_a_mask(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(INVENTORY % "{mask: {public.a.b: null}}")
    found = load(path).targets["shop"].defang
    assert found and found.masks == {("public", "a", "b"): "null"} and found.rules == tuple(RULES)


# --- where a release is rehearsed ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%40@host:5433/test?sslmode=require&application_name=x",
        "postgres://u@[::1]/%C3%96de%20%22db%22",
        "host=h dbname='a b' user=u",
        "postgresql://h/" + "x" * 63,
    ],
)
def test_a_rehearsals_address_differs_in_its_database_only(url: str) -> None:
    before, after = parts_of(url), parts_of(led(url, "shop-test@rehearsal"))
    assert after.pop("dbname") == before.pop("dbname").encode()[:53].decode() + "_rehearsal"
    assert before == after and led(url, "shop-test") == url


def test_an_address_that_would_lead_elsewhere_is_refused() -> None:
    with pytest.raises(ValueError, match="in its query"):
        led("postgresql://h/a?dbname=b", "shop-test@rehearsal")
