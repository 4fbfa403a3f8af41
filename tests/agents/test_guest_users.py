"""Users of guests: the same on each node, a different one for each guest of a node."""

from itertools import islice
from pathlib import Path
from uuid import UUID

import pytest

from agents.node.adapters.guest_access import open_access
from agents.node.errors import AdapterError
from agents.node.guest_users import ATTEMPTS, FEWEST, HIGHEST, LOWEST, GuestUsers
from agents.node.state_store import StateStore

ONE, OTHER, THIRD = (UUID(int=number) for number in (1, 2, 3))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def test_a_guest_has_the_same_user_on_each_node() -> None:
    here, there = (next(GuestUsers().candidates(ONE)) for _ in range(2))
    assert here == there != next(GuestUsers().candidates(OTHER))


def test_candidates_are_within_the_range() -> None:
    users = GuestUsers(LOWEST, LOWEST + FEWEST - 1)
    found = set(users.candidates(ONE))
    assert len(found) > ATTEMPTS / 2
    assert users.first <= min(found) <= max(found) <= users.last


@pytest.mark.parametrize(
    "text", ["", "5", "a-b", "0-99999999", "1000-70000", "70000-70001", "90000000-80000000", f"{LOWEST}-{HIGHEST + 1}"]
)
def test_unsafe_user_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no range of users"):
        GuestUsers.parse(text)


def test_two_guests_never_share_a_user_and_each_keeps_its_own(path: Path) -> None:
    ledger = StateStore(path)
    wanted = [100_000, 100_001]
    assert [ledger.guest_user(guest, wanted) for guest in (ONE, OTHER)] == wanted
    with pytest.raises(AdapterError, match="All user ids"):
        ledger.guest_user(THIRD, wanted)
    ledger.close()
    ledger = StateStore(path)
    assert [ledger.guest_user(guest, [100_002]) for guest in (ONE, OTHER)] == wanted
    ledger.forget_user(ONE)
    assert ledger.guest_user(THIRD, wanted) == wanted[0]
    ledger.close()


def test_second_candidate_differs_from_the_first() -> None:
    first, second = islice(GuestUsers().candidates(ONE), 2)
    assert first != second


def test_folders_are_traversable_and_kvm_is_opened_only_on_demand(tmp_path: Path) -> None:
    folder, device = tmp_path / "qemu", tmp_path / "kvm"
    folder.mkdir()
    folder.chmod(0o750)
    device.touch()
    device.chmod(0o660)
    modes = []
    for needs_kvm in (False, True):
        open_access(needs_kvm=needs_kvm, folders=[folder, tmp_path / "missing"], device=device)
        modes.append([oct(path.stat().st_mode & 0o777) for path in (folder, device)])
    assert modes == [["0o751", "0o660"], ["0o751", "0o666"]]
