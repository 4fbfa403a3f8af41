"""Profile of the demo for the command line, and its nodes."""

import shlex
import stat
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from andromede_cli import profiles
from scripts import demo
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
    demo.forget_profile(TOKEN)
    assert (profiles.load().current, profiles.load().known) == (profiles.DEFAULT, {})


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
