"""pgBackRest as the engine of backups: made, proved by restoring aside, drilled, unpacked, rolled back to."""

from __future__ import annotations

import pytest

from tests.conftest import Project
from tests.pgbackrest.conftest import Cluster

pytestmark = pytest.mark.slow


def test_a_backup_is_made_proved_listed_drilled_unpacked_and_rolled_back_to(cluster: Cluster, shop: Project) -> None:
    before = shop.fingerprint()
    done = shop.inv("backup")
    assert done.code == 0, done.out + done.err
    [one] = cluster.backups()
    name = one["annotation"]["generalprobe"]
    assert f"inv unpack --backup={name}" in done.out, done.out
    assert not cluster.aside.exists()
    print(done.out)
    [listed] = shop.inv("backups", "--json").events
    assert (listed["backup"], listed["engine"], listed["label"]) == (name, "pgbackrest", one["label"]), listed
    assert listed["bytes"] > one["info"]["repository"]["delta"] and listed["proved"]["procedure"] == "backup-pgbackrest"
    print(shop.inv("backups").out)
    done = shop.inv("check-backups")
    assert done.code == 0, done.out
    print(done.out)
    shop.query("DELETE FROM lessons_booking WHERE id > 500")
    done = shop.inv("rollback", f"--backup={name}", "--confirm=shop")
    assert done.code == 2 and f"Try: inv unpack --target=shop --backup={name}" in done.out, done.out + done.err
    print(done.out)
    done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    print(done.out)
    done = shop.inv("drill", f"--backup={name}")
    assert done.code == 0, done.out + done.err
    print(done.out)
    assert "by drill-pgbackrest" in shop.inv("backups").out
    done = shop.inv("unpack")
    assert done.code == 0, done.out + done.err
    print(done.out)
    dump = name.replace("_pgbackrest", "_unpacked")
    done = shop.inv("unpack")
    assert done.code == 0 and "is unpacked" in done.out, done.out + done.err
    print(shop.inv("backups").out)
    done = shop.inv("rollback", f"--backup={dump}", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.fingerprint() == before
    assert not cluster.aside.exists()
    print(done.out)
    print(shop.inv("prune-backups", "--plan").out)
    assert len(cluster.backups()) == 1
