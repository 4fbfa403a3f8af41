"""Profile of the demo for the command line, its nodes and its storage."""

import shlex
import stat
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from agents.lab.ceph import CephCluster, Store, machine
from agents.lab.ceph.config import ClusterPlan
from agents.lab.shell import LabError
from andromede_cli import profiles
from andromede_cli.commands.ssh import known_hosts_file
from scripts import demo
from scripts.ceph_storage import SIZE_GIB, CephStorage
from scripts.cloud import Cloud
from scripts.control_plane import Stack

ROOT = Path(__file__).parents[2]
URL, TOKEN = "http://127.0.0.1:8000", "andromede_t-demo"


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_a_guest_can_move_within_a_zone_and_a_zone_without_nodes_is_refused() -> None:
    zones = Counter(demo.ZONES.values())
    assert zones == {"fr-idf-1": 2, "de-rhein-1": 1}
    assert set(demo.ADMITTED) == set(zones)
    assert demo.REFUSED not in demo.ADMITTED


def test_printed_command_is_installed_and_runs_from_any_folder(tmp_path: Path) -> None:
    done = subprocess.run([ROOT / demo.CLI, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: andromede")


def test_printed_log_in_is_understood_and_has_the_key_of_the_guest() -> None:
    command = shlex.split(demo.log_in(f"{demo.CLI} --profile demo"))
    assert ROOT / command[-1] == demo.KEY
    done = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "instance ssh" in done.stdout


def test_key_of_the_guest_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    cloud, key = Cloud(Stack(tmp_path), {}), tmp_path / "key"
    public = cloud.make_ssh_key(key)
    assert (cloud.make_ssh_key(key), public.split()[0]) == (public, "ssh-ed25519")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_first_profile_is_the_current_one_and_goes_with_the_demo() -> None:
    assert demo.keep_profile(URL, TOKEN) == demo.CLI
    stored = profiles.load()
    assert (stored.current, stored.known) == ("demo", {"demo": profiles.Profile(URL, TOKEN, "demo")})
    assert stat.S_IMODE(profiles.path().stat().st_mode) == 0o600
    assert demo.keep_profile(URL, TOKEN) == demo.CLI
    known_hosts_file("demo").write_text("web ssh-ed25519 AAAA")
    demo.forget_profile(TOKEN)
    assert (profiles.load().current, profiles.load().known) == (profiles.DEFAULT, {})
    assert not known_hosts_file("demo").exists()


def test_other_profiles_are_kept() -> None:
    mine = profiles.Profile("https://cloud.example.org", "secret", "shop")
    profiles.save(profiles.Profiles("work", {"work": mine}))
    assert demo.keep_profile(URL, TOKEN) == f"{demo.CLI} --profile demo"
    assert profiles.load().current == "work"
    demo.forget_profile(TOKEN)
    assert profiles.load().known == {"work": mine}


def test_existing_profile_of_the_name_is_kept() -> None:
    mine = profiles.Profiles("demo", {"demo": profiles.Profile("https://cloud.example.org", "secret", "shop")})
    profiles.save(mine)
    assert demo.keep_profile(URL, TOKEN) == ""
    demo.forget_profile(TOKEN)
    assert profiles.load() == mine


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud that does not run; the demo's folders are the test's."""
    monkeypatch.setattr(demo, "VAR", tmp_path)
    monkeypatch.setattr(demo, "CEPH", tmp_path / "ceph")
    return Cloud(Stack(tmp_path), demo.ZONES)


def test_storage_is_a_ceph_cluster_unless_another_is_requested(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORAGE", raising=False)
    assert demo.wanted_storage() == "ceph"
    monkeypatch.setenv("STORAGE", "local")
    assert demo.wanted_storage() == "local"
    monkeypatch.setenv("STORAGE", "cpeh")
    with pytest.raises(SystemExit, match="STORAGE=cpeh is not known: use ceph or local"):
        demo.wanted_storage()


@pytest.mark.parametrize(
    ("lacking", "warning"),
    [
        ({"MEMORY_MIN_MIB": 2**40}, "MiB of memory are free, and it needs"),
        ({"PROGRAMS": ("ceph-mon", "no-such-program")}, "no-such-program are not installed: run make setup as root"),
        ({"BINDINGS": ("no_such_module",)}, "run make setup without PYTHON"),
        ({"GIB": 2**70}, f"its pool takes up to {SIZE_GIB} GiB"),
    ],
)
def test_demo_goes_on_without_ceph_where_the_machine_lacks_something(
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lacking: dict[str, object],
    warning: str,
) -> None:
    for name, value in lacking.items():
        monkeypatch.setattr(machine, name, value)
    assert demo.start_ceph(cloud) is None
    printed = capsys.readouterr().out
    assert warning in printed
    assert "no Ceph cluster, and so no shared storage" in printed


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with room for a cluster, on which none starts."""

    def fail(_: CephStorage) -> None:
        raise LabError("mon.a ended: Permission denied.")

    monkeypatch.setattr(demo, "obstacle", lambda *_, **__: "")
    monkeypatch.setattr(CephStorage, "start", fail)


def test_demo_goes_on_without_a_cluster_that_does_not_start(
    cloud: Cloud, failing: None, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.CEPH.mkdir()
    assert demo.start_ceph(cloud) is None
    assert "mon.a ended: Permission denied" in capsys.readouterr().out
    assert not demo.CEPH.exists()


def test_demo_ends_if_a_cluster_with_volumes_does_not_start_or_is_to_be_left_out(
    cloud: Cloud, failing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.CEPH.mkdir()
    ClusterPlan("127.0.0.1", 1, Store.FILE, "fsid").save(demo.CEPH)
    with pytest.raises(SystemExit, match=r"Permission denied\. Its volumes are in .*; make demo-down removes it"):
        demo.start_ceph(cloud)
    assert demo.CEPH.exists()
    monkeypatch.setenv("STORAGE", "local")
    with pytest.raises(SystemExit, match="Run make demo-down first"):
        demo.wanted_storage()


def test_final_message_has_the_facts_of_the_storage(cloud: Cloud) -> None:
    assert demo.described(None) == "volume type local: on one node"
    ceph = CephStorage(cloud, CephCluster(demo.ROOT / "var/demo/ceph"), demo.STORAGE_AGENT, demo.HOME, 1)
    text = demo.described(ceph)
    assert f"{demo.TYPE}: in a Ceph cluster of {demo.HOME} with one OSD, {SIZE_GIB} GiB, one copy" in text
    assert "ceph --conf var/demo/ceph/ceph.conf status" in text


def test_removal_of_the_demo_ends_the_cluster_before_its_files(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(Cloud, "down", lambda _: done.append("down"))
    monkeypatch.setattr(CephCluster, "remove", lambda each: done.append(f"remove {each.folder.name}"))
    monkeypatch.setattr(Cloud, "forget", lambda _: done.append("forget"))
    demo.remove(cloud)
    assert done == ["down", "remove ceph", "forget"]
