"""Whole procedures on the fake Railway, and with each of its faults: nothing is called done that is not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from ops.infra.railway.railway_cli import meaning
from tests.masked import release_beside_a_masked_clone
from tests.projects import DEFANG
from tests.support.tiers import quick
from tests.system.cli.test_pages import SEQUENCES, content, number_again, paste
from tests.system.railway.conftest import Rail

Make = Callable[..., Rail]


def commit(rail: Rail) -> str:
    """Commit the application as it is; Railway's newest source is that commit."""
    folder = rail.project.folder
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    for words in (("init", "-q"), ("add", "shop"), (*who, "commit", "-qm", "release")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True).stdout.strip()
    rail.change(head=head)
    return head


@pytest.mark.slow
def test_release_and_rollback_deploy_and_go_back(rail: Make) -> None:
    on = rail("c")
    shop, head = on.project, commit(on)
    before = {name: found for name, found in _tables(on).items()}
    backup = shop.inv("backup", "--json")
    assert backup.code == 0, backup.out + backup.err
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert on.live() == head
    done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert _tables(on) == before
    assert "secretword" not in done.out + done.err
    for words, env in on.calls:
        assert env == {"CI": "true", "RAILWAY_NO_AUTO_UPDATE": "1", "RAILWAY_NO_TELEMETRY": "1"}
        if words[0] not in ("status", "api"):
            given = dict(zip(words, words[1:], strict=False))
            assert (given["--project"], given["--service"][:4]) == ("prj-1", "svc-")
            assert given["--environment"].startswith("env-")


@pytest.mark.slow
def test_release_and_rollback_by_hand_equal_the_engine(rail: Make) -> None:
    on = rail("c")
    shop, head = on.project, commit(on)
    before, numbers = shop.fingerprint(), shop.query(SEQUENCES)
    assert shop.inv("release", "--confirm=shop").code == 0
    by_engine = content(shop)
    assert shop.inv("rollback", "--backup=latest", "--confirm=shop").code == 0
    number_again(shop, numbers)
    assert shop.inv("runbooks").code == 0
    assert "inv tool.railway-deploy --target=shop" in (shop.folder / "runbooks/release.md").read_text()
    done = paste(shop, "release")
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(shop) == by_engine
    deployed = [d for d in on.state["deployments"] if d["meta"].get("commitHash") == head]
    assert len(deployed) == 2 and on.live() == head
    backup = sorted(path.name for path in (shop.folder / "backups/shop/backups").glob("*_hand_last"))[-1]
    done = paste(shop, "rollback", BACKUP=backup)
    assert done.returncode == 0, done.stdout + done.stderr
    assert shop.fingerprint() == before


def _tables(on: Rail) -> dict[str, tuple[int, str]]:
    return on.project.fingerprint()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("does-nothing", "no deployment was started"),
        ("failed-deployment", "is FAILED; its log ends: building / migrating / boom: no module named shop"),
        ("slow-deployment", "is still"),
    ],
)
def test_a_deployment_that_is_not_live_is_never_called_done(rail: Make, fault: str, said: str) -> None:
    on = rail("c")
    shop = on.project
    commit(on)
    on.change(faults=[fault])
    done = shop.inv("tool.railway-deploy", "--target=shop", "--timeout=2", "--every=0.1")
    assert done.code == 4 and said in done.out + done.err, done.out + done.err
    assert "Traceback" not in done.out + done.err
    on.change(faults=[])


TOKENS: list[tuple[str, dict[str, str | None], str]] = [
    ("rate-limit", {}, "the rate limit of Railway's API is exceeded"),
    ("offline", {}, "Railway's API does not answer"),
    ("", {"RAILWAY_API_TOKEN": ""}, "the token is not allowed"),
    ("", {"RAILWAY_API_TOKEN": "old"}, "the token is not allowed"),
    ("", {"RAILWAY_API_TOKEN": None}, "no token is set"),
    ("", {"RAILWAY_API_TOKEN": None, "RAILWAY_TOKEN": "old"}, "the token is not valid, or has expired"),
    ("", {"RAILWAY_TOKEN": "token-p"}, "both RAILWAY_TOKEN and RAILWAY_API_TOKEN are set"),
    ("", {"PATH": None}, "the railway CLI is not installed"),
]


def test_what_is_wrong_with_a_token_is_said_in_a_line(rail: Make) -> None:
    on = rail("b")
    given = dict(on.project.env)
    for fault, env, said in TOKENS:
        on.change(faults=[fault])
        on.project.env.clear()
        # Without ours, the path is the one of a machine without the CLI.
        path = given["PATH"].split(":", 1)[1]
        on.project.env.update({name: value for name, value in (given | env).items() if value is not None})
        on.project.env.setdefault("PATH", path)
        done = on.project.inv("backup")
        assert done.code in (2, 4), done.out + done.err
        assert said in done.out + done.err and "Try: " in done.out + done.err, (fault, env)
        assert "Traceback" not in done.out + done.err
    assert not (on.project.folder / "backups/shop/backups").exists()


def test_a_project_token_suffices_for_its_own_environment_only(rail: Make) -> None:
    on = rail("b")
    del on.project.env["RAILWAY_API_TOKEN"]
    on.project.env["RAILWAY_TOKEN"] = "token-p"
    done = on.project.inv("backup")
    assert done.code == 0, done.out + done.err
    done = on.project.inv("clone-prod-to-test")
    assert done.code == 4 and "environment does not exist, or the token has no access to it" in done.out + done.err


def test_the_private_address_is_refused_from_here(rail: Make) -> None:
    on = rail("b")
    file = on.project.folder / "inventory.yaml"
    file.write_text(file.read_text().replace("DATABASE_PUBLIC_URL", "DATABASE_URL"))
    done = on.project.inv("backup")
    assert done.code == 2, done.out + done.err
    assert "only Railway's containers can reach" in done.out and "DATABASE_PUBLIC_URL" in done.out
    assert "secretword" not in done.out + done.err


def test_names_that_are_not_there(rail: Make) -> None:
    on = rail("b")
    file = on.project.folder / "inventory.yaml"
    text = file.read_text()
    file.write_text(text.replace("Postgres/DATABASE_PUBLIC_URL", "Postgres/DATABASE_PUBLC_URL"))
    done = on.project.inv("backup")
    assert done.code == 2 and "existing: DATABASE_PUBLIC_URL, DATABASE_URL" in done.out, done.out
    file.write_text(text.replace("railway:Postgres/", "railway:Postgrs/"))
    done = on.project.inv("backup")
    assert done.code == 2 and "no services named 'Postgrs'; existing: Postgres, web" in done.out, done.out


def test_the_pooled_address_gives_way_to_the_direct_one(rail: Make) -> None:
    on = rail("b")
    found = on.state["variables"]
    direct = found["env-p"]["svc-db"]["DATABASE_PUBLIC_URL"]
    found["env-p"]["svc-db"] |= {
        "DATABASE_PUBLIC_URL": "postgresql://postgres:secretword@127.0.0.1:1/pooled",
        "DATABASE_PUBLIC_UNPOOLED_URL": direct,
    }
    on.change(variables=found)
    done = on.project.inv("backup")
    assert done.code == 0, done.out + done.err


def test_another_project_behind_the_same_name_is_refused_on_resume(rail: Make) -> None:
    on = rail("c")
    shop = on.project
    (shop.folder / "shop/lessons/management/commands/check_lessons_data.py").write_text("raise SystemExit(1)\n")
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 4, done.out + done.err
    environments = [{"id": "env-other", "name": "production"}, {"id": "env-t", "name": "staging"}]
    variables = on.state["variables"]
    on.change(environments=environments, variables=variables | {"env-other": variables["env-p"]})
    done = shop.inv("resume", "--confirm=shop")
    assert done.code == 3, done.out + done.err
    assert "leads to prj-1/env-other/svc-web on Railway, but the run was planned for prj-1/env-p/svc-web" in done.out


def with_backups(rail: Make) -> Rail:
    """A project that wants Railway's own backups, too."""
    on = rail("b")
    file = on.project.folder / "inventory.yaml"
    file.write_text(file.read_text().replace("deploy: redeploy", "deploy: redeploy\n            backups: true"))
    return on


def test_railways_own_backup_comes_after_ours_and_both_are_listed(rail: Make) -> None:
    on = with_backups(rail)
    done = on.project.inv("backup")
    assert done.code == 0, done.out + done.err
    name = on.state["backups"][0]["name"]
    assert f"Railway also has {name} (bak-1)" in done.out
    listed = on.project.inv("backups")
    assert f"{name} (Railway's, bak-1)" in listed.out and listed.out.count(name) == 2, listed.out
    kinds = [event["event"] for event in on.project.inv("backups", "--json").events]
    assert kinds == ["backup", "railway-backup"]


def test_a_plan_without_backups_is_said_and_the_dump_stands_alone(rail: Make) -> None:
    on = with_backups(rail)
    on.change(faults=["plan-gate"])
    done = on.project.inv("backup")
    assert done.code == 0, done.out + done.err
    assert "does not include volume backups; the dump is the only backup" in done.out
    assert "Railway's own backups are not listed" in on.project.inv("backups").out


def test_a_backup_that_railway_does_not_list_is_none(rail: Make) -> None:
    on = with_backups(rail)
    on.change(faults=["does-nothing"])
    done = on.project.inv("tool.railway-backup", "--target=shop", "--name=x", "--timeout=1", "--every=0.1")
    assert done.code == 4 and "after 1 s Railway lists no backup x" in done.out + done.err, done.out + done.err


VERSIONS = pytest.mark.parametrize("version", quick(["5.43.1", "5.30.2"], "5.43.1"))


@VERSIONS
def test_backups_locks_and_schedules_by_commands_and_by_the_api(rail: Make, version: str) -> None:
    on = with_backups(rail)
    on.change(version=version)
    made = on.project.inv("tool.railway-backup", "--target=shop", "--name=b1", "--every=0.1")
    assert made.code == 0 and "Railway also has b1 (bak-1), until 2099" in made.out, made.out + made.err
    kept = on.project.inv("tool.railway-lock", "--target=shop", "--name=b1")
    assert kept.code == 0 and "retains b1 (bak-1) until somebody removes it" in kept.out, kept.out + kept.err
    assert on.state["backups"][0]["expiresAt"] is None
    assert "Railway has no backup b9" in on.project.inv("tool.railway-lock", "--target=shop", "--name=b9").out
    done = on.project.inv("tool.railway-schedule", "--target=shop", "--kinds=weekly,daily")
    assert done.code == 0 and "automatic backups: daily, weekly" in done.out, done.out + done.err
    assert on.state["schedules"] == {"env-p": ["DAILY", "WEEKLY"]}
    assert on.project.inv("tool.railway-schedule", "--target=shop").code == 0
    assert on.state["schedules"] == {"env-p": []}
    asked = {words[0] for words, _ in on.calls}
    assert ("api" in asked) == (version == "5.30.2") and ("postgres" in asked) == (version == "5.43.1")


@VERSIONS
def test_a_lock_or_schedule_that_does_nothing_is_not_called_done(rail: Make, version: str) -> None:
    on = with_backups(rail)
    on.change(version=version)
    assert on.project.inv("tool.railway-backup", "--target=shop", "--name=b1", "--every=0.1").code == 0
    on.change(faults=["does-nothing"])
    done = on.project.inv("tool.railway-lock", "--target=shop", "--name=b1")
    assert done.code == 4 and "b1 still expires" in done.out + done.err, done.out + done.err
    done = on.project.inv("tool.railway-schedule", "--target=shop", "--kinds=daily")
    assert done.code == 4 and "are none, not daily" in done.out + done.err, done.out + done.err
    assert on.project.inv("tool.railway-schedule", "--target=shop", "--kinds=hourly").code == 2
    on.change(faults=["plan-gate"])
    done = on.project.inv("tool.railway-schedule", "--target=shop", "--kinds=daily")
    assert done.code == 0 and "the dump is the only backup" in done.out, done.out + done.err


def test_doctor_says_what_railway_can_do(rail: Make) -> None:
    on = with_backups(rail)
    done = on.project.inv("doctor", "--all")
    assert "CLI 5.43.1, prj-1/env-p/svc-web, newest deployment SUCCESS, 0 volume backups" in done.out, done.out
    on.change(faults=["plan-gate"])
    assert "warn  railway" in (done := on.project.inv("doctor")).out and "does not include volume backups" in done.out
    on.project.env["RAILWAY_API_TOKEN"] = "old"
    done = on.project.inv("doctor")
    assert done.code == 4 and "FAIL  railway" in done.out and "the token is not allowed" in done.out, done.out


def test_an_address_without_a_host_never_means_this_machine(rail: Make) -> None:
    on = rail("b")
    variables = on.state["variables"]
    variables["env-p"]["svc-db"]["DATABASE_PUBLIC_URL"] = "postgresql://postgres:secretword@:/railway"
    on.change(variables=variables)
    done = on.project.inv("backup")
    assert done.code == 2 and "names no host" in done.out and "TCP proxy" in done.out, done.out + done.err
    assert "secretword" not in done.out + done.err


def test_a_look_that_fails_does_not_end_the_wait(rail: Make) -> None:
    on = rail("b")
    on.change(faults=["flaky-list"])
    done = on.project.inv("tool.railway-deploy", "--target=shop", "--timeout=20", "--every=0.1")
    assert done.code == 0 and "is live" in done.out, done.out + done.err
    assert on.state["asked"] > 1


@pytest.mark.parametrize("how", quick(["up", "redeploy"], "up"))
def test_a_push_at_the_same_moment_is_not_taken_for_ours(rail: Make, how: str) -> None:
    on = rail("b")
    file = on.project.folder / "inventory.yaml"
    file.write_text(file.read_text().replace("deploy: redeploy", f"deploy: {how}"))
    on.change(faults=["somebody-pushes"])
    done = on.project.inv("tool.railway-deploy", "--target=shop", "--timeout=20", "--every=0.1")
    assert done.code == 4, done.out + done.err
    assert "deployment dep-2 is REMOVED; dep-3, of commit ffffffffffff, replaced it" in done.out, done.out


def test_what_the_cli_says_is_understood() -> None:
    assert meaning("503 Service Unavailable", 1)[0] == "503 Service Unavailable"
    assert "service does not exist" in meaning('Service "web" not found.', 1)[0]
    limited = meaning('{"error":"Failed to create a backup","code":"RATELIMITED"}', 1)[0]
    assert "rate limit" in limited
    assert meaning('{"errors":[{"message":"Deployment not found"}]}', 1)[0] == "Deployment not found"


@pytest.mark.slow
def test_a_release_rehearses_on_true_rows_and_the_test_database_is_masked(rail: Make) -> None:
    on = rail("b", defang=DEFANG)
    shop = on.project
    commit(on)
    release_beside_a_masked_clone(shop)
