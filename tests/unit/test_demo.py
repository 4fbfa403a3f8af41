"""Profile of the demo for the command line, and its nodes."""

import stat
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from andromede_cli import profiles
from scripts import demo

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


def test_the_first_profile_is_the_current_one_and_goes_with_the_demo() -> None:
    assert demo.keep_profile(URL, TOKEN) == demo.CLI
    kept = profiles.load()
    assert (kept.current, kept.known) == ("demo", {"demo": profiles.Profile(URL, TOKEN, "demo")})
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
