"""Check of the storage agent's user, before the playbook starts the agent."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agents.lab.ceph import POOL, CephCluster, ensure_user
from agents.storage import capabilities, check

CLIENT, OTHER = "checked", "other-people"
LIMIT_S = 30
Check = Callable[..., list[str]]


@pytest.fixture
def checked(ceph: CephCluster, tmp_path: Path) -> Iterator[Check]:
    """Check a user with these capabilities."""
    keyring = tmp_path / "keyring"

    def problems(caps: Sequence[str], pools: Sequence[str] = (POOL,)) -> list[str]:
        ensure_user(ceph, CLIENT, caps, keyring)
        return check.problems(ceph.conf, CLIENT, keyring, pools, limit_s=LIMIT_S)

    yield problems
    ceph.command("auth rm", entity=f"client.{CLIENT}")


@pytest.fixture
def other_pool(ceph: CephCluster) -> Iterator[str]:
    ceph.command("osd pool create", pool=OTHER)
    yield OTHER
    ceph.command("osd pool delete", pool=OTHER, pool2=OTHER, yes_i_really_really_mean_it=True)


def entities(ceph: CephCluster) -> set[str]:
    return {each["entity"] for each in ceph.command("auth ls")["auth_dump"]}


def test_user_of_the_how_to_has_what_it_needs_and_no_more(ceph: CephCluster, checked: Check, other_pool: str) -> None:
    before = entities(ceph)
    assert checked(capabilities.of_agent([POOL])) == []
    assert entities(ceph) - before == {f"client.{CLIENT}"}


def test_too_powerful_user_is_a_problem(checked: Check, other_pool: str) -> None:
    *found, remedy = checked(["mon", "allow *", "osd", "allow *"])
    assert [problem.split(" (")[0] for problem in found] == [
        "The user may read the keys of others",
        "The user may remove the keys of others",
        f"The user may read the pool {other_pool}, which is not among the agent's.",
    ]
    assert remedy.startswith(
        f"To give the user what it needs and no more: ceph auth caps client.{CLIENT} mon 'allow r,"
    )


def test_user_that_lacks_something_is_a_problem(checked: Check, other_pool: str) -> None:
    *found, _ = checked(["mon", "allow r", "osd", f"allow r pool={POOL}"])
    assert found == [
        "The user may not make keys of volumes (auth get-or-create).",
        "The user may not remove keys of volumes (auth rm).",
        "The user may not fence clients (osd blocklist).",
        f"The user may not read and write in the pool {POOL}.",
    ]


def test_pools_that_are_missing_or_of_others_are_problems(checked: Check, other_pool: str) -> None:
    pools = [POOL, "lost", other_pool]
    missing, strange, _ = checked(capabilities.of_agent(pools), pools)
    assert missing.startswith("There is no pool lost in the cluster: ceph osd pool create lost")
    assert strange == f"The pool {other_pool} is not for RBD: rbd pool init {other_pool}."


def test_wrong_key_is_named(ceph: CephCluster, checked: Check, tmp_path: Path) -> None:
    checked(capabilities.of_agent([POOL]))
    wrong = tmp_path / "wrong"
    (key,) = ceph.command("auth get", entity="client.admin")
    wrong.write_text(f"[client.{CLIENT}]\nkey = {key['key']}\n")
    (problem,) = check.problems(ceph.conf, CLIENT, wrong, [POOL], limit_s=LIMIT_S)
    assert problem.startswith(f"The cluster refuses client.{CLIENT} with the key of {wrong}")


def test_silent_monitors_are_named_within_the_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf, keyring = tmp_path / "ceph.conf", tmp_path / "keyring"
    conf.write_text("[global]\nmon_host = v2:127.0.0.1:1\n")
    keyring.write_text("[client.andromede]\nkey = AQD2hWhnAAAAABAAn0BqkpAX4vBx/pFrGqZfEA==\n")
    options = ["--conf", str(conf), "--keyring", str(keyring), "--pool", POOL, "--limit-s", "1"]
    assert check.main(options) == 1
    assert f"The cluster of {conf} did not answer within 1 s: check its mon_host" in capsys.readouterr().out
