"""A release is whole, has its section in the changelog, and plays the demo where nothing else is installed."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

import ops
from scripts import build_release
from tests.support.project import ROOT


def test_the_version_has_one_place_and_the_changelog_its_section() -> None:
    assert build_release.version_of(ROOT) == ops.__version__
    assert build_release.check_changelog(ROOT, ops.__version__).startswith(ops.__version__)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# Changelog\n", "begins with '## '"),
        ("# Changelog\n\n## 0.1.0\n\n- One.\n", "ops.__version__ is 0.2.0, and the changelog begins with '## 0.1.0'"),
        ("# Changelog\n\n## 0.2.0 (soon)\n\nSoon.\n\n## 0.1.0\n\n- One.\n", "'## 0.2.0 (soon)' has no entry"),
    ],
)
def test_a_changelog_without_version_or_entry_stops_the_build(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "CHANGELOG.md").write_text(text)
    with pytest.raises(SystemExit) as stopped:
        build_release.check_changelog(tmp_path, "0.2.0")
    assert said in str(stopped.value) and "\nTry: " in str(stopped.value)


def test_the_manifest_of_the_sdist_names_each_file_and_folder() -> None:
    """A real build shows the same, later."""
    lines = [line.split() for line in (ROOT / "MANIFEST.in").read_text().splitlines()]
    grafted = {words[1] for words in lines if words[0] == "graft"}
    included = [pattern for words in lines if words[0] == "include" for pattern in words[1:]]
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tops = {name.partition("/")[0] for name in listed.splitlines() if not name.startswith((".", '"'))}
    assert {top for top in tops - grafted if not any(fnmatch(top, pattern) for pattern in included)} == set()


def packed(folder: Path, lacking: str = "", more: str = "") -> Path:
    wheel = folder / "generalprobe-0.2.0-py3-none-any.whl"
    names = build_release.files_of_ops(ROOT) | {"generalprobe-0.2.0.dist-info/METADATA", more or "ops/__init__.py"}
    with zipfile.ZipFile(wheel, "w") as made:
        for name in names - {lacking}:
            made.writestr(name, "")
    return wheel


def test_a_wheel_that_is_whole_passes(tmp_path: Path) -> None:
    assert build_release.check_wheel(ROOT, packed(tmp_path)) > 400


@pytest.mark.parametrize(
    "lacking", ["ops/sql/freeze.sql", "ops/templates/page.md.j2", "ops/defang/masks.toml", "ops/core/files.py"]
)
def test_a_wheel_that_lacks_a_file_stops_the_build(tmp_path: Path, lacking: str) -> None:
    assert lacking in build_release.files_of_ops(ROOT)
    with pytest.raises(SystemExit, match=f"lacks {lacking}"):
        build_release.check_wheel(ROOT, packed(tmp_path, lacking))


@pytest.mark.parametrize("more", ["tests/conftest.py", "ops/old.py"])
def test_a_wheel_with_a_file_of_no_source_stops_the_build(tmp_path: Path, more: str) -> None:
    with pytest.raises(SystemExit, match=f"has {more}, which ops/ does not have"):
        build_release.check_wheel(ROOT, packed(tmp_path, more=more))


def copy_of_the_checkout(folder: Path) -> Path:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    for words in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_forgotten_package_data_and_untracked_files_stop_a_real_build(tmp_path: Path) -> None:
    """Only a real build shows what setuptools leaves out, and what it takes along."""
    root = copy_of_the_checkout(tmp_path / "checkout")
    settings = root / "pyproject.toml"
    assert '"defang/*.toml"' in settings.read_text()
    settings.write_text(settings.read_text().replace(', "defang/*.toml"', ""))
    (root / "MANIFEST.in").write_text((root / "MANIFEST.in").read_text().replace("graft ops\n", ""))
    (root / "demo/secret.txt").write_text("of a person's own\n")
    wheel, sdist = build_release.build(root, tmp_path / "dist")
    with pytest.raises(SystemExit, match=r"lacks ops/defang/\w+\.toml"):
        build_release.check_wheel(root, wheel)
    with pytest.raises(SystemExit, match=r"lacks ops/defang/\w+\.toml"):
        build_release.check_sdist(root, sdist)
    (root / "MANIFEST.in").write_text((ROOT / "MANIFEST.in").read_text())
    with pytest.raises(SystemExit, match=r"has demo/secret\.txt, which git does not track"):
        build_release.check_sdist(root, build_release.build(root, tmp_path / "dist")[1])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_make_release_builds_and_plays_the_demo_from_the_installed_wheel(tmp_path: Path) -> None:
    """Only an empty environment shows what the wheel lacks."""
    root = copy_of_the_checkout(tmp_path / "checkout")
    words = [sys.executable, "scripts/build_release.py", str(tmp_path / "dist")]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Release {ops.__version__} is built and tested:" in done.stdout
    assert "$ echo $?\n5" in done.stdout and "lessons: release is done" in done.stdout and "$ echo $?\n0" in done.stdout
    with tarfile.open(next((tmp_path / "dist").glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"demo/play.py", "inventory.yaml", "tasks.py", "runbooks/release.md", "LICENSE", "CHANGELOG.md"} <= names
