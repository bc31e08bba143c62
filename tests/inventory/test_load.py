"""The inventory: what it gives, and for every refusal the text, the line and the way out."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ops.core.errors import USAGE, InventoryError
from ops.inventory.dump import Dump, bytes_a_second
from ops.inventory.load import find, load
from ops.inventory.targets import EXAMPLES, Connection, Inventory, Keep, Reference, Target
from ops.inventory.window import Window
from tests.support.examples import ALL, examples

SHIPPED = Path(__file__).parents[2] / "inventory.yaml"

GOOD = """\
all:
  vars:
    store: s3://bucket/prefix
    default: shop
    freeze: always
    keep: {daily: 1}
  children:
    production:
      vars: {lock_timeout: 2, ansible_user: deploy}
      hosts:
        shop:
          ansible_host: shop.example.com
          ansible_port: 2222
          ansible_python_interpreter: /usr/bin/python3
          database: env:DATABASE_URL
          app: {dir: ../shop, env: {DEBUG: ""}}
          checks: [[check], [check_orders, --all]]
          test: shop-test
          window: {days: [tue], hours: "22:00-02:00", zone: Europe/Berlin}
          keep: {weekly: 9}
          deploy: [./deploy.sh, --now]
          health: [curl, https://shop.example.com]
        office:
          ansible_connection: ssh
          lock_timeout: 0.5
          database: railway:Postgres/DATABASE_URL
          railway: {project: shop, environment: staging}
    test:
      hosts:
        shop-test: {database: "embedded:shop_test", seed: [python, seed.py]}
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / "inventory.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def production(body: str) -> str:
    """An inventory whose one production target `shop` stands on line 5, and ``body`` from line 6 on."""
    lines = "".join(f"          {line}\n" for line in body.splitlines())
    head = "all:\n  children:\n    production:\n      hosts:\n        shop:\n"
    return f"{head}{lines}    test:\n      hosts:\n        shop-test: {{database: env:TEST_URL}}\n"


def one(key: str) -> str:
    """``production`` with a database (line 6) and one more key (line 7)."""
    return production(f"database: env:URL\n{key}")


def hosts(body: str) -> str:
    """An inventory whose target `shop` names its database on line 4; ``body`` is from line 5 on."""
    return f"all:\n  children:\n    production:\n      hosts: {{shop: {{database: env:URL}}}}\n{body}"


# --- what it gives ---------------------------------------------------------------------------------------------------


def test_good_inventory(write):
    inventory = load(write(GOOD))
    assert list(inventory.targets) == ["shop", "office", "shop-test"]
    assert inventory.production == ("shop", "office")
    assert inventory.default == "shop"
    shop = inventory.target("shop")
    assert shop.kind == "production"
    assert shop.line == 11
    assert shop.store == "s3://bucket/prefix"
    assert str(shop.database) == "env:DATABASE_URL"
    assert shop.app is not None
    assert shop.app.model_dump() == {
        "dir": "../shop",
        "manage": ("python", "manage.py"),
        "database_env": "DATABASE_URL",
        "env": {"DEBUG": ""},
        "rehearsal_env": {},
    }
    assert shop.checks == (("check",), ("check_orders", "--all"))
    assert shop.deploy == ("./deploy.sh", "--now")
    assert shop.freeze == "always"
    assert shop.connection == Connection(kind="ssh", host="shop.example.com", user="deploy", port=2222)


def test_the_nearer_variable_wins_whole(write):
    inventory = load(write(GOOD))
    assert inventory.target("shop").lock_timeout == 2
    assert inventory.target("office").lock_timeout == 0.5
    assert inventory.target("shop").keep == Keep(weekly=9)
    assert inventory.target("office").keep == Keep(daily=1)


def test_defaults_stand_in_the_types(write):
    target = load(write(one(""))).target("shop")
    assert (target.store, target.freeze, target.retries) == ("backups", "auto", 5)
    assert (target.lock_timeout, target.certificate_hours) == (5.0, 24.0)
    assert target.keep == Keep(daily=7, weekly=4, monthly=6)
    assert (target.app, target.window, target.deploy, target.health, target.seed) == (None,) * 5
    assert target.checks == ()


def test_production_variables_of_all_do_not_reach_test_targets(write):
    test = load(write(GOOD)).target("shop-test")
    assert test.freeze == "auto"
    assert test.keep == Keep()
    assert test.seed == ("python", "seed.py")


def test_a_group_shared_with_production_may_hold_production_variables(write):
    inventory = load(
        write(
            hosts("""\
    test: {hosts: {shop-test: {database: env:TEST}}}
    europe:
      vars: {freeze: never}
      hosts: {shop: , shop-test: }
""")
        )
    )
    assert inventory.target("shop").freeze == "never"
    assert inventory.target("shop-test").freeze == "auto"


def test_a_host_in_several_groups_merges_its_variables(write):
    inventory = load(
        write("""\
all:
  children:
    europe: {hosts: {shop: }, vars: {retries: 1}}
    production:
      children:
        shops:
          hosts: {shop: {database: env:URL}}
          vars: {retries: 2, ansible_host: a.example.com}
""")
    )
    assert inventory.target("shop").retries == 2
    assert inventory.target("shop").line == 7
    assert inventory.target("shop").connection.host == "a.example.com"


def test_merge_keys_and_aliases(write):
    inventory = load(write(one("<<: &more {retries: 3}\nkeep: &k {daily: 1}")))
    assert inventory.target("shop").retries == 3


@pytest.mark.parametrize(
    ("variables", "kind", "host"),
    [
        ("retries: 1", "local", None),
        ("ansible_host: a.example.com", "ssh", "a.example.com"),
        ("ansible_connection: local\nansible_host: a.example.com", "local", "a.example.com"),
        ("ansible_connection: ssh", "ssh", "shop"),
        ('ansible_host: "::1"', "ssh", "::1"),
    ],
)
def test_connection(write, variables, kind, host):
    connection = load(write(one(variables))).target("shop").connection
    assert (connection.kind, connection.host) == (kind, host)


def test_target_chosen(write):
    inventory = load(write(GOOD))
    assert inventory.target(None).name == "shop"
    assert inventory.test_of(inventory.target("shop")).name == "shop-test"
    assert load(write(one(""))).target(None).name == "shop"


def test_target_unknown_has_a_suggestion(write):
    with pytest.raises(InventoryError, match="there are shop, office, shop-test") as caught:
        load(write(GOOD)).target("shpo")
    assert caught.value.hint == "--target=shop"
    assert caught.value.exit_code == USAGE


def test_target_left_out_among_several(write):
    with pytest.raises(InventoryError, match="several production targets: shop, office") as caught:
        load(write(GOOD.replace("    default: shop\n", ""))).target(None)
    assert caught.value.hint == "--target=NAME"


def test_target_left_out_without_production(write):
    with pytest.raises(InventoryError, match="no target in group `production`"):
        load(write("all:\n")).target(None)


@pytest.mark.parametrize(
    ("name", "message", "hint"), [("office", "names no test", "test: NAME"), ("shop-test", "is itself", "--target=")]
)
def test_test_of_without_one(write, name, message, hint):
    inventory = load(write(GOOD))
    with pytest.raises(InventoryError, match=message) as caught:
        inventory.test_of(inventory.target(name))
    assert caught.value.hint.startswith(hint)
    assert caught.value.line == inventory.target(name).line


def test_paths_are_relative_to_the_file(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(GOOD)
    inventory = load(Path("inventory.yaml"))
    assert inventory.folder == tmp_path
    assert inventory.path("../shop") == tmp_path.parent / "shop"
    assert inventory.path("/srv") == Path("/srv")
    assert inventory.path("~/.ssh/id") == Path.home() / ".ssh/id"
    assert inventory.target("shop").app.dir == "../shop"


def test_models_are_frozen_and_copy(write):
    inventory = load(write(GOOD))
    with pytest.raises(ValidationError):
        inventory.target("shop").freeze = "never"  # type: ignore[misc]
    assert copy.deepcopy(inventory) == inventory
    assert Target.model_validate_json(inventory.target("shop").model_dump_json()) == inventory.target("shop")


def test_every_key_has_an_example_that_is_right(write):
    skipped = {"database", "test"}
    for key, example in EXAMPLES.items():
        extra = "" if key in skipped else f"{key}: {example}"
        text = one(extra).replace("env:URL", "embedded:shop") if key == "seed" else one(extra)
        assert load(write(text)).target("shop"), key
    assert str(Reference.parse(EXAMPLES["database"])) == EXAMPLES["database"]


# --- find ------------------------------------------------------------------------------------------------------------


def test_find_in_its_order(tmp_path):
    for name in ("inventory.yaml", "a.yaml", "b.yaml"):
        (tmp_path / name).touch()
    assert find("a.yaml", tmp_path, {"OPS_INVENTORY": "b.yaml"}) == tmp_path / "a.yaml"
    assert find(None, tmp_path, {"OPS_INVENTORY": "b.yaml"}) == tmp_path / "b.yaml"
    assert find(None, tmp_path, {"OPS_INVENTORY": ""}) == tmp_path / "inventory.yaml"
    assert find(str(tmp_path / "a.yaml"), Path("/"), {}) == tmp_path / "a.yaml"


@pytest.mark.parametrize("explicit", [None, "", "missing.yaml", "folder", "a\0b"])
def test_find_nothing(tmp_path, explicit):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InventoryError, match="there is no such inventory") as caught:
        find(explicit, tmp_path, {})
    first = "generalprobe init   to create an inventory; or " if explicit is None else ""
    assert caught.value.hint == f"{first}-i FILE after the task, or OPS_INVENTORY=FILE"


# --- references, windows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["env:DATABASE_URL", "file:secrets/url", "railway:My Postgres/DATABASE_URL", "embedded:lessons_test"]
)
def test_reference_round_trip(text):
    assert str(Reference.parse(text)) == text
    assert Reference.parse(text) == Reference(kind=text.partition(":")[0], value=text.partition(":")[2])


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://user:hunter2@host/db",
        "host=h password=hunter2",
        "env:postgresql://user:hunter2@host/db",
        "env:hunter2!",
        "file:postgresql://user:hunter2@host/db",
        "file:",
        "railway:Postgres",
        "railway:/hunter2",
        "embedded:Lessons",
        "embedded:hunter2\n",
        "vault:hunter2",
        "hunter2",
        "",
    ],
)
def test_reference_refused_without_its_value(text):
    with pytest.raises(InventoryError) as caught:
        Reference.parse(text)
    assert caught.value.hint.startswith("database: ")
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint} {caught.value!r}"
    assert caught.value.__suppress_context__


NIGHT = Window(days=("tue",), hours="22:00-02:00", zone="Europe/Berlin")
DAY = Window(days=("tue",), hours="09:00-17:30")


@pytest.mark.parametrize(("text", "rate"), [("500kB", 500_000), ("20MB", 20_000_000), ("1.5GB", 1_500_000_000)])
def test_a_rate_is_bytes_a_second(text, rate):
    assert bytes_a_second(text) == Dump(max_rate=text).rate == rate
    assert Dump().rate == 0 and Dump(compress=6).compress == "6"


@pytest.mark.parametrize(
    ("window", "moment", "inside"),
    [
        (DAY, datetime(2025, 1, 7, 9, 0, tzinfo=UTC), True),
        (DAY, datetime(2025, 1, 7, 8, 59, tzinfo=UTC), False),
        (DAY, datetime(2025, 1, 7, 17, 30, tzinfo=UTC), False),
        (DAY, datetime(2025, 1, 8, 10, 0, tzinfo=UTC), False),
        (DAY, datetime(2025, 1, 7, 18, 0, tzinfo=ZoneInfo("Europe/Berlin")), True),
        (NIGHT, datetime(2025, 1, 7, 21, 0, tzinfo=UTC), True),
        (NIGHT, datetime(2025, 1, 7, 20, 59, tzinfo=UTC), False),
        (NIGHT, datetime(2025, 1, 8, 0, 59, tzinfo=UTC), True),
        (NIGHT, datetime(2025, 1, 8, 1, 0, tzinfo=UTC), False),
        (NIGHT, datetime(2025, 1, 7, 0, 30, tzinfo=UTC), False),
        (NIGHT, datetime(2025, 7, 1, 20, 0, tzinfo=UTC), True),
    ],
)
def test_window(window, moment, inside):
    assert window.contains(moment) is inside


def test_window_needs_a_zone():
    with pytest.raises(ValueError, match="time zone"):
        DAY.contains(datetime(2025, 1, 7, 9, 0))


# --- refusals --------------------------------------------------------------------------------------------------------

TEST_ONLY = "    test:\n      hosts:\n        shop-test:\n          database: env:TEST\n          {}\n"

REFUSALS = {
    # YAML
    "bytes": (b"all:\n  \xff", "is not UTF-8", 2, "UTF-8"),
    "control character": ("all:\n  a: \x01", "a control character", 2, "remove"),
    "syntax": ("all:\n  vars: [", "not YAML", 2, "brackets"),
    "tab": ("all:\n\tvars:", "not YAML", 2, "spaces"),
    "indentation": ("all:\n   vars:\n  hosts:\n", "not YAML", 3, "indentation"),
    "alias": ("all: *hunter2", "undefined alias …", 1, "check"),
    "two documents": ("all:\n---\nall:\n", "not YAML", 2, "check"),
    "odd date": ("all: 2001-99-99", "malformed", 0, "quotes"),
    "deep": ("[" * 1000, "nested too deeply", 0, "quotes"),
    "nested": ("all:\n  vars:\n    ansible_x: " + "[" * 60 + "]" * 60, "nested too deeply", 3, "aliases"),
    "duplicate": (one("retries: 1\nretries: 2"), "`retries` is given twice", 8, "remove one"),
    "duplicate target": (hosts("      hosts: {}\n"), "`hosts` is given twice", 5, "remove one"),
    "key": ("all:\n  1: x", "a key should be text", 2, "quotes"),
    "large": ("#" * 300_000, "larger than", 0, "-i FILE"),
    # groups
    "empty": ("", "no group `all`", 1, "`all:`"),
    "no mapping": ("- all", "the file should be a mapping", 1, "`all:`"),
    "no all": ("production:\n", "no group `all`", 1, "`all:`"),
    "group no mapping": ("all:\n  children:\n    test: x", "group `test` should be a mapping", 3, "hosts:"),
    "hosts a list": ("all:\n  hosts:\n  - x", "`hosts` of group `all` should be a mapping", 2, "hosts: {NAME"),
    "unknown group key": ("all:\n  childern: {}", "unknown key `childern`", 2, "write `children:`"),
    "group below itself": ("all:\n  children:\n    a:\n      children:\n        a:", "a child of itself", 5, "remove"),
    "neither": ("all:\n  hosts:\n    shop: {database: env:A}", "shop: is not in group", 3, "move it"),
    "both": (hosts("    test:\n      hosts:\n        shop:\n"), "in `production` and in `test`", 7, "remove one"),
    "target no mapping": (hosts("").replace("{database: env:URL}", "x"), "target `shop` should be", 4, "NAME: {data"),
    "target name slash": (hosts("").replace("shop", '"a/b"'), "target name (not shown) is not allowed", 4, "letters"),
    "target name dash": (hosts("").replace("shop", "_x"), "target name `_x` is not allowed", 4, "first a letter"),
    "target name long": (hosts("").replace("shop", "x" * 41), "is not allowed", 4, "at most 40"),
    "target name range": (hosts("").replace("shop", '"web[1:3]"'), "is not allowed", 4, "letters"),
    # keys
    "unknown key": (one("freez: auto"), "unknown key `freez`", 7, "write `freeze:`"),
    "unknown key, no guess": (one("zzzz: 1"), "unknown key `zzzz`", 7, "known keys: store, database"),
    "unknown key in all": ("all:\n  vars:\n    sotre: x", "unknown key `sotre`", 3, "write `store:`"),
    "name is no key": (one("kind: test"), "unknown key `kind`", 7, "known keys"),
    "unknown key in app": (one("app:\n  dir: x\n  mange: [a]"), "`app.mange` is an unknown key", 9, "write `manage:`"),
    "unknown key in window": (one("window: {day: x}"), "`window.days` is missing (and 2 more)", 7, "window: {days"),
    "default elsewhere": (one("default: shop"), "`default` applies to the whole file", 7, "`all: vars:`"),
    "old alias": (one("ansible_ssh_host: x"), "ansible_ssh_host is an old name", 7, "write `ansible_host`"),
    # types
    "freeze": (one("freeze: yes"), "shop: `freeze` should be 'always', 'never' or 'auto'", 7, "freeze: auto"),
    "words as text": (one("deploy: ./deploy.sh"), "shop: `deploy` should be a list", 7, "deploy: [./deploy.sh"),
    "no words": (one("deploy: []"), "`deploy` should not be empty", 7, "deploy: ["),
    "checks flat": (one("checks: [check]"), "`checks` should be a list", 7, "checks: [["),
    "number as word": (one("health:\n- sleep\n- 5"), "`health` should be text", 9, "health: ["),
    "empty word": (one('health: ["", x]'), "contains an empty word", 7, "health: ["),
    "control in word": (one('health:\n- a\n- "a\\nb"'), "contains a control", 9, "health: ["),
    "nul in word": (one('health: ["a\\0b"]'), "contains a control", 7, "health: ["),
    "surrogate": (one('health: ["\\ud800"]'), "contains a control", 7, "health: ["),
    "password in word": (one("health: ['http://u:hunter2@h']"), "a password does not belong", 7, "environment"),
    "retries": (one("retries: true"), "`retries` should be a valid integer", 7, "retries: 5"),
    "retries below": (one("retries: -1"), "should be greater than or equal to 0", 7, "retries: 5"),
    "lock_timeout": (one("lock_timeout: 0"), "should be greater than 0", 7, "lock_timeout: 5"),
    "lock_timeout infinite": (one("lock_timeout: .inf"), "`lock_timeout` should be", 7, "lock_timeout: 5"),
    "certificate_hours": (one("certificate_hours: '1'"), "should be a valid number", 7, "certificate_hours: 24"),
    "keep": (one("keep: {daily: -1}"), "`keep.daily` should be", 7, "keep: {daily: 7"),
    "dump key": (one("dump: {exlude: [a]}"), "`dump.exlude` is an unknown key", 7, "write `exclude:`"),
    "dump jobs": (one("dump: {jobs: 0}"), "`dump.jobs` should be", 7, "dump: {jobs: 4"),
    "dump compress": (one("dump: {compress: best}"), "a value of pg_dump's --compress", 7, "compress: zstd:3"),
    "dump pattern": (one("dump: {exclude: [a, 'b c']}"), "should be TABLE or SCHEMA.TABLE", 7, "stats.*"),
    "dump all": (one("dump: {exclude: ['*.*']}"), "would exclude every table", 7, "exclude: [audit_log]"),
    "dump rate": (one("dump: {max_rate: 20}"), "`dump.max_rate` should be text", 7, "dump: {jobs: 4"),
    "dump from by another name": (one("dump: {from_: standby}"), "`dump.from_` is an unknown key", 7, "write `from:`"),
    "dump without a standby": (one("dump: {from: standby}"), "the target has no `standby`", 7, "standby: env:"),
    "dump lag": (one("dump: {max_lag: 5min}"), "`dump.max_lag` should be", 7, "dump: {jobs: 4"),
    "standby with a password": (one("standby: postgresql://a:b@c/d"), "itself is a secret", 7, "standby: env:"),
    "standby elsewhere": (one("standby: railway:Postgres/URL"), "should be env:NAME or file:PATH", 7, "standby: env:"),
    "dump rate zero": (one("dump: {max_rate: 0MB}"), "should be bytes per second", 7, "max_rate: 20MB"),
    "keep list": (one("keep: [1]"), "`keep` should be a mapping", 7, "keep: {daily: 7"),
    "app text": (one("app: ../shop"), "`app` should be a mapping", 7, "app: {dir:"),
    "app dir": (one("app:\n  manage: [a]"), "`app.dir` is missing", 7, "app: {dir:"),
    "app database_env": (one("app: {dir: x, database_env: a-b}"), "is not well-formed", 7, "app: {dir:"),
    "app env": (one("app: {dir: x, env: {A: 1}}"), "`app.env.A` should be text", 7, "app: {dir:"),
    "app env name": (one("app: {dir: x, env: {A-B: x}}"), "`app.env.A-B` is not well-formed", 7, "app: {dir:"),
    "tagged": (one("health: !vault x"), "`health` should be a list", 7, "health: ["),
    "store": (
        "all:\n  vars:\n    store: gs://x\n  children:\n    test: {hosts: {a: {database: env:A}}}",
        "a: `store` should be a folder, or s3://",
        3,
        "store: s3://bucket",
    ),
    "store on a host": (one("store: ssh://nas"), "`store` should be a folder, or s3://", 7, "store: ssh://user@"),
    "store in Azure": (one("store: az://shop.backups/x"), "`store` should be a folder, or s3://", 7, "az://container/"),
    "store password on a host": (one("store: ssh://k:hunter2@nas/b"), "does not belong in the inventory", 7, "environ"),
    "store password": (one("store: s3://k:hunter2@b"), "does not belong in the inventory", 7, "environment"),
    "window day": (one("window: {days: [tues], hours: 02:00-05:00}"), "`window.days` should be 'mon'", 7, "days: [tue"),
    "dump from": (one("dump: {from: replica}"), "`dump.from` should be 'production' or", 7, "dump: {from: production}"),
    "window hours": (one("window: {days: [tue], hours: 2-5}"), "two different times", 7, 'hours: "02:00-05:00"'),
    "window empty": (one("window: {days: [tue], hours: 02:00-02:00}"), "two different times", 7, "hours:"),
    "window zone": (
        one("window: {days: [tue], hours: 02:00-05:00, zone: Europe/Berln}"),
        "not a time zone",
        7,
        "zone: Europe/Berlin",
    ),
    "window zone folder": (one("window:\n  days: [tue]\n  hours: 02:00-05:00\n  zone: Europe"), "zone", 10, "zone: "),
    "window zone path": (one("window: {days: [tue], hours: 02:00-05:00, zone: /etc}"), "not a time zone", 7, "zone: "),
    "connection": (one("ansible_connection: winrm"), "`ansible_connection` should be 'local' or 'ssh'", 7, "ssh"),
    "port": (one("ansible_port: 0"), "`ansible_port` should be", 7, "ansible_port: 22"),
    "host": (one("ansible_host: -oProxyCommand=x"), "`ansible_host` is not well-formed", 7, "ansible_host: shop"),
    "template": (one('ansible_host: "{{ x }}"'), "`ansible_host` is not well-formed", 7, "ansible_host: shop"),
    "seed": (one("seed: [python]"), "`seed` applies to an embedded database only", 7, "embedded:NAME"),
    # database
    "database missing": (production("retries: 1"), "shop: `database` is missing", 5, "database: env:DATABASE_URL"),
    "database missing, no variables": (
        "all:\n  children:\n    test:\n      hosts:\n        a:\n",
        "a: `database` is missing",
        5,
        "database: env:DATABASE_URL",
    ),
    "database literal": (
        production("database: postgresql://u:hunter2@h/d"),
        "a password does not belong in the inventory",
        6,
        "database: env:DATABASE_URL",
    ),
    "database kind": (production("database: vault:x"), "should be env:NAME, file:PATH", 6, "database: env:"),
    "database value": (production("database: env:a-b"), "not a well-formed env: reference", 6, "env:DATABASE_URL"),
    "pg_dump on a host": (one("pg_dump: host"), "a host that is reached by SSH", 7, "ansible_host: shop.example.com"),
    "pg_dump in a container": (one("pg_dump: container"), "on Railway only", 7, "railway: {project: ID"),
    "database railway": (production("database: railway:x"), "railway: reference", 6, "railway:Postgres/DATABASE"),
    "database type": (production("database: [env:A]"), "should be env:NAME", 6, "database: env:DATABASE_URL"),
    "same database": (
        hosts("    test:\n      hosts:\n        a:\n          database: env:URL\n"),
        "a: has the same database as shop",
        8,
        "of its own",
    ),
    "same file": (
        hosts("    test: {hosts: {a: {database: 'file:./x'}}}\n").replace("env:URL", "file:y/../x"),
        "a: has the same database as shop",
        5,
        "of its own",
    ),
    "same database inherited": (
        "all:\n  vars:\n    database: env:A\n  children:\n    production: {hosts: {a: , b: }}",
        "b: has the same database as a",
        3,
        "of its own",
    ),
    # test and default
    "test unknown": (one("test: shop-tst"), "shop: `test` names a target that does not exist", 7, "test: shop-test"),
    "test itself": (one("test: shop"), "shop: `test` names the target itself", 7, "test: shop-test"),
    "test production": (
        hosts("        b: x\n")
        .replace("hosts: {shop: {database: env:URL}}", "hosts:\n        shop: {database: env:A, test: b}")
        .replace("b: x", "b: {database: env:B}"),
        "shop: `test` names a production target",
        5,
        "group `test`",
    ),
    "default unknown": ("all:\n  vars:\n    default: shpo\n  hosts: {}", "`default` names no production", 3, "NAME"),
    "default a test": (
        one("").replace("all:\n", "all:\n  vars: {default: shop-test}\n"),
        "`default` names no production target",
        2,
        "default: shop",
    ),
    "default a list": (
        one("").replace("all:\n", "all:\n  vars: {default: [shop]}\n"),
        "`default` names no production target",
        2,
        "default: NAME",
    ),
    "test group variable": (
        hosts("    test:\n      vars:\n        freeze: auto\n      hosts: {a: {database: env:A}}"),
        "a: `freeze` is allowed only in production",
        7,
        "remove `freeze:`",
    ),
} | {
    f"{key} in test": (hosts(TEST_ONLY.format(f"{key}: x")), f"`{key}` is allowed only in production", 9, "remove")
    for key in ("freeze", "window", "keep", "checks", "deploy", "test")
}


@pytest.mark.parametrize(("text", "message", "line", "hint"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refusal(write, text, message, line, hint):
    path = write(text)
    with pytest.raises(InventoryError) as caught:
        load(path)
    error = caught.value
    assert message in error.message
    assert hint in error.hint
    assert (error.file, error.line) == (str(path), line)
    assert error.message.startswith(f"{path}:{line}: " if line else f"{path}: ")
    assert "\n" not in error.message + error.hint
    assert "hunter2" not in error.message + error.hint


@pytest.mark.parametrize("path", ["missing.yaml", ".", "a\0b"])
def test_unreadable(tmp_path, path):
    with pytest.raises(InventoryError, match="cannot be read") as caught:
        load(tmp_path / path)
    assert caught.value.hint == "-i FILE after the task, or OPS_INVENTORY=FILE"


@pytest.mark.parametrize("deep", [200, 1000])
def test_groups_too_deep(write, deep):
    chain = "".join(f"g{i}: {{children: {{g{i + 1}: }}}}\n" for i in range(deep))
    with pytest.raises(InventoryError, match="too deeply"):
        load(write(f"all:\n{chain}g{deep}: {{children: {{production: {{hosts: {{a: {{database: env:A}}}}}}}}}}"))


def test_aliases_do_not_multiply(write):
    laughs = "a0: &a0 {x: , y: }\n" + "".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}\n" for i in range(1, 30))
    with pytest.raises(InventoryError, match="too many values"):
        load(write(laughs))


# --- no traceback, no secret, for any file ---------------------------------------------------------------------------

SECRET = "postgresql://user:hunter2@host/db"
SECTIONS = ["all", "vars", "hosts", "children", "production", "test", "default"]
KEYS = [*EXAMPLES, *SECTIONS, "dir", "env", "days", "hours", "<<"]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([SECRET, "env:A", "file:x", "Europe/Berlin", "02:00-05:00", "tue", "auto", "ssh", "a"]),
)
NAMES = st.one_of(st.sampled_from(KEYS), st.text(max_size=10))
NESTED = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=25
)
VARIABLES = st.none() | st.dictionaries(st.sampled_from(sorted(EXAMPLES)) | NAMES, NESTED, max_size=4)
HOSTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), VARIABLES, max_size=3)
GROUP = st.fixed_dictionaries({}, optional={"hosts": HOSTS, "vars": VARIABLES})
SHAPED = st.fixed_dictionaries(
    {
        "all": st.fixed_dictionaries(
            {},
            optional={
                "vars": VARIABLES,
                "children": st.fixed_dictionaries({}, optional={"production": GROUP, "test": GROUP}),
            },
        )
    }
)
FUZZ = settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def never_a_traceback(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        assert isinstance(load(path), Inventory)
    except InventoryError as error:
        assert error.hint
        assert "hunter2" not in error.message + error.hint
        assert "\n" not in error.message.removeprefix(str(path))
        assert error.__suppress_context__ or error.__context__ is None


@FUZZ
@given(data=st.binary(max_size=200))
def test_any_bytes(tmp_path, data):
    never_a_traceback(tmp_path / "i", data)


@FUZZ
@given(text=st.text(alphabet="ab: -[]{}\"'&*!|>%@#,?\n\t\\0<~", max_size=80), head=st.sampled_from(["", "all:\n  "]))
def test_any_text(tmp_path, text, head):
    never_a_traceback(tmp_path / "i", (head + text).encode())


@FUZZ
@given(value=NESTED | SHAPED)
def test_any_nesting(tmp_path, value):
    never_a_traceback(tmp_path / "i", json.dumps(value).encode())


@FUZZ
@given(start=st.integers(0, len(GOOD)), length=st.integers(0, 40), put=st.text(max_size=5) | st.just(SECRET))
def test_any_change_of_a_good_file(tmp_path, start, length, put):
    never_a_traceback(tmp_path / "i", (GOOD[:start] + put + GOOD[start + length :]).encode("utf-8", "replace"))


def test_a_secret_in_any_place_is_never_quoted(tmp_path):
    """Puts a literal address in place of every word of a good file, as key and as value, bare and quoted."""
    words = GOOD.split()
    starts = [GOOD.index(word) for word in dict.fromkeys(words)]
    # By default every third one; with TESTS_EXAMPLES=all (.ci/run) each.
    for start in starts[:: 1 if ALL else 3]:
        end = next((i for i in range(start, len(GOOD)) if GOOD[i] in " \n"), len(GOOD))
        for put in (SECRET, f'"{SECRET}"', f'"{SECRET}":', "*hunter2", "&hunter2", "!hunter2", f"[{SECRET}]"):
            never_a_traceback(tmp_path / "i", (GOOD[:start] + put + GOOD[end:]).encode())


# --- the shipped file, and Ansible -----------------------------------------------------------------------------------


def test_shipped_inventory():
    inventory = load(SHIPPED)
    assert inventory.production == ("lessons", "lessons-incident")
    assert inventory.target(None).name == "lessons"
    for name in inventory.production:
        target = inventory.target(name)
        assert inventory.test_of(target).name == f"{name}-test"
        assert target.database.kind == inventory.test_of(target).database.kind == "embedded"
        assert target.seed == ("python", "demo/seed.py")
        assert target.checks == (("check_lessons_data",),)
        assert target.app is not None
        assert target.app.manage == ("python", "../manage.py")


def test_shipped_example_is_right_when_uncommented(write):
    """The commented blocks are documentation; without their `# ` they must load."""
    lines = [
        line.replace("        # ", "        ", 1) if line.startswith("        # ") else line
        for line in SHIPPED.read_text().splitlines()
    ]
    inventory = load(write("\n".join(lines)))
    shop = inventory.target("shop")
    assert shop.connection.kind == "ssh"
    assert inventory.test_of(shop).name == "shop-test"
    assert set(Target.model_fields) - {"seed", "store"} <= shop.model_fields_set | {"store"}


def ansible_inventory(path: Path, mode: str) -> str:
    program = Path(sys.executable).parent / "ansible-inventory"
    if not program.exists():
        pytest.skip("ansible-inventory is not installed beside this Python: pip install ansible-core")
    environ = os.environ | {"ANSIBLE_LOCALHOST_WARNING": "false", "LC_ALL": "C.UTF-8"}
    command = [program, "-i", path, mode]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ, cwd=path.parent, timeout=60)
    # Ansible keeps the name `retries` for its plays; as a variable of the inventory it only warns.
    assert "WARNING" not in done.stderr.replace("[WARNING]: Found variable using reserved name 'retries'", "")
    return done.stdout


def test_ansible_graphs_the_shipped_inventory():
    graph = ansible_inventory(SHIPPED, "--graph")
    for name in load(SHIPPED).targets:
        assert f"--{name}\n" in graph + "\n"


def test_ansible_lists_the_same_variables_as_shipped():
    listed = json.loads(ansible_inventory(SHIPPED, "--list"))
    inventory = load(SHIPPED)
    assert listed["production"]["hosts"] == list(inventory.production)
    for name, target in inventory.targets.items():
        variables = listed["_meta"]["hostvars"][name]
        assert variables["database"] == str(target.database)
        assert variables["store"] == target.store
        assert variables["ansible_connection"] == target.connection.kind


PRECEDENCE = """\
b_top: {hosts: {a: {certificate_hours: 1}}, vars: {retries: 10}}
all:
  vars: {retries: 1, lock_timeout: 1, store: far, certificate_hours: 9, freeze: never}
  children:
    production:
      hosts: {a: {certificate_hours: 2, database: env:A}, b: {database: env:B}, c: {database: env:C}}
      vars: {retries: 2, lock_timeout: 2}
      children:
        deep: {hosts: {b: , c: {retries: }}, vars: {retries: 3, store: deep}}
    a_late: {hosts: {a: , b: }, vars: {lock_timeout: 4, retries: 4}}
    z_late: {hosts: {a: }, vars: {lock_timeout: 5}}
    first: {hosts: {c: }, vars: {lock_timeout: 6, ansible_group_priority: 10}}
z_late: {children: {deep: }}
"""


def test_ansible_finds_the_same_nearest_variable(write):
    path = write(PRECEDENCE.replace("c: {retries: }", "c: {retries: 7}"))
    listed = json.loads(ansible_inventory(path, "--list"))["_meta"]["hostvars"]
    for name, target in load(path).targets.items():
        for key in ("retries", "lock_timeout", "store", "certificate_hours", "freeze"):
            assert getattr(target, key) == listed[name].get(key), (name, key)


PHYSICAL = """\
all:
  children:
    production:
      hosts:
        shop:
          database: env:DATABASE_URL
          engine: pgbackrest
"""


@pytest.mark.parametrize(
    ("more", "line", "said"),
    [
        ("", 5, "needs a stanza"),
        ("          pgbackrest: {stanza: main}\n", 8, "`pgbackrest.aside`"),
        ("          pgbackrest: {stanza: ../x, aside: /srv/aside}\n", 8, "`pgbackrest.stanza`"),
        ("          pgbackrest: {stanza: main, aside: aside}\n", 8, "should be an absolute path"),
        ("          pgbackrest: {stanza: main, aside: /srv/../aside}\n", 8, "should be an absolute path"),
        ("          pgbackrest: {stanza: main, aside: /srv}\n", 8, "should be the absolute path of a separate folder"),
        (f"          pgbackrest: {{stanza: main, aside: /srv/{'a' * 50}}}\n", 8, "at most 50"),
        ("          pgbackrest: {stanza: main, aside: /srv/a, type: weekly}\n", 8, "`pgbackrest.type`"),
        ("          pgbackrest: {stanza: main, aside: /srv/a, stanzas: x}\n", 8, "`pgbackrest.stanzas`"),
    ],
)
def test_what_is_wrong_with_a_stanza_is_said_with_its_line(write, more: str, line: int, said: str) -> None:
    with pytest.raises(InventoryError) as caught:
        load(write(PHYSICAL + more))
    assert said in caught.value.message and caught.value.line == line, caught.value.message
    assert "pgbackrest" in caught.value.hint or "stanza" in caught.value.hint, caught.value.hint


def test_a_stanza_is_read(write) -> None:
    found = load(write(PHYSICAL + "          pgbackrest: {stanza: main, aside: /srv/a, type: full}\n")).target("shop")
    assert found.engine == "pgbackrest" and found.pgbackrest is not None
    assert (found.pgbackrest.kind, found.pgbackrest.user, found.pgbackrest.config) == ("full", "postgres", None)


@pytest.mark.parametrize(
    ("store", "folder"),
    [
        ("ssh://nas/srv/backups", ".store/ssh/nas/srv/backups"),
        ("ssh://ann@nas.example.com:2222/srv/b_1/", ".store/ssh/ann@nas.example.com_2222/srv/b_1"),
        ("ssh://nas:65535/b", ".store/ssh/nas_65535/b"),
        ("ssh://[::1]/~/backups", ".store/ssh/[__1]/_/backups"),
        ("s3://bucket/a:b", ".store/s3/bucket/a:b"),
    ],
)
def test_a_store_elsewhere_has_its_working_copy_here(write, store, folder):
    target = load(write(one(f"store: {store}"))).target("shop")
    assert (target.remote, target.folder) == (store, folder)


@pytest.mark.parametrize(
    "store",
    [
        "/srv",
        "nas:/srv",
        "nas/",
        "nas/~",
        "nas/~/",
        "a@b@nas/x",
        "nas:0/x",
        "nas:70000/x",
        "nas:65536/x",
        "-oX=y/x",
        "nas/a/../b",
        "nas/a b",
        "nas/$(x)",
        "nas/a'b",
        "-x@nas/b",
        "nas//",
        "@nas/x",
    ],
)
def test_a_host_that_is_not_well_formed_is_refused(write, store):
    with pytest.raises(InventoryError, match="`store` should be a folder, or s3://"):
        load(write(one(f'store: "ssh://{store}"')))
