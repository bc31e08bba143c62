"""The page of `unpack`, pasted while production is down: it makes the very dump that `inv unpack` makes."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Project
from tests.support.ssh_servers import free_port
from tests.system.cli.test_pages import paste
from tests.system.pgbackrest.conftest import Cluster

pytestmark = pytest.mark.slow


def test_by_hand_it_is_what_the_tool_makes_also_when_production_is_down(cluster: Cluster, shop: Project) -> None:
    done = shop.inv("backup")
    assert done.code == 0, done.out + done.err
    made: str = cluster.backups()[-1]["annotation"]["generalprobe"]
    before = shop.fingerprint()
    assert shop.inv("runbooks").code == 0
    page = (shop.folder / "runbooks/unpack.md").read_text()
    assert '`inv rollback --target=shop "--backup=${UNPACKED}"`' in page
    # Nobody listens there.
    port = str(free_port())
    down = {name: text.replace(f":{cluster.port}/", f":{port}/") for name, text in shop.env.items()}
    assert down != shop.env
    by_hand = paste(shop, "unpack", **down)
    assert by_hand.returncode == 0, by_hand.stdout + by_hand.stderr
    assert f"the variables are those of backup {made}" in by_hand.stderr
    dump = made.replace("_pgbackrest", "_unpacked")
    manifest = json.loads((shop.folder / f"backups/shop/backups/{dump}/manifest.json").read_text())
    assert manifest["unpacked_of"] == made and not cluster.aside.exists()
    again = shop.inv("unpack")
    assert again.code == 0 and "is unpacked" in again.out, again.out + again.err
    shop.query("DELETE FROM lessons_booking WHERE id > 500")
    back = shop.inv("rollback", f"--backup={dump}", "--confirm=shop")
    assert back.code == 0 and shop.fingerprint() == before, back.out + back.err
