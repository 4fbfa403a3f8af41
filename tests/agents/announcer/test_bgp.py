"""Two announcers and a router, with real BGP: what the router learns, and when it forgets it."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from agents.announcer.bird_control import Bird
from andromede_core.permits.announcements import Route
from tests.agents.announcer.bgp_lab import BgpLab
from tests.agents.announcer.running import Announcer
from tests.agents.announcer.waiting import wait_until
from tests.permits import Authority
from tests.pki import make_ca

ADDRESSES = "10.0.7.11", "10.0.7.12"
PUBLIC, PUBLIC_IPV6 = "203.0.113.7", "2001:db8:0:7::7"
FOREIGN, FOREIGN_IPV6 = "198.51.100.7", "2001:db8:0:8::7"  # the how-to's routers do not accept them
NODE1 = Route(ip_address("10.0.7.101"), (65001, 100), 200)
NODE2 = Route(ip_address("10.0.7.102"), (65001, 100), 200)
NODE1_IPV6 = Route(ip_address("fd77::101"))
LEARNED1, LEARNED2 = ("10.0.7.101", "(65001,100)", "200"), ("10.0.7.102", "(65001,100)", "200")


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[BgpLab]:
    """The lab without a router."""
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    with BgpLab.running(tmp_path) as lab:
        for address in ADDRESSES:
            lab.plug(address)
        yield lab


@pytest.fixture
def lab(wired: BgpLab) -> BgpLab:
    """The lab with BIRD as the router."""
    wired.start_router()
    return wired


@pytest.fixture
def announcers(tmp_path: Path, authority: Authority) -> list[Announcer]:
    ca = make_ca(tmp_path / "ca")
    return [Announcer(tmp_path / name, ca, authority) for name in ("first", "second")]


@contextmanager
def all_running(lab: BgpLab, announcers: list[Announcer]) -> Iterator[None]:
    with ExitStack() as stack:
        for announcer in announcers:
            stack.enter_context(announcer.serving())
        for address, announcer in zip(ADDRESSES, announcers, strict=True):
            stack.enter_context(lab.bird(address, announcer.folder))
        yield


def learn(lab: BgpLab, address: str, **expected: tuple[str, str, str]) -> None:
    wait_until(lambda: lab.learned(address) == expected, f"{address} as {expected}, is {lab.learned(address)}")


def test_router_learns_where_an_address_is(lab: BgpLab, announcers: list[Announcer]) -> None:
    with all_running(lab, announcers):
        routes = {PUBLIC: NODE1, PUBLIC_IPV6: NODE1_IPV6}
        for announcer in announcers:
            state = announcer.announce(routes)
            assert (state.version, state.applied_version, state.routes, state.problem) == (1, 1, 2, "")
        learn(lab, PUBLIC, announcer1=LEARNED1, announcer2=LEARNED1)
        wait_until(lambda: lab.forwards(PUBLIC) == "10.0.7.101", "the route in the kernel")
        wait_until(lambda: lab.forwards(PUBLIC_IPV6) == "fd77::101", "the IPv6 route in the kernel")
        assert [each.status().established_sessions for each in announcers] == [1, 1]

        for announcer in announcers:  # the guest moves
            announcer.announce({PUBLIC: NODE2, PUBLIC_IPV6: NODE1_IPV6}, version=2)
        learn(lab, PUBLIC, announcer1=LEARNED2, announcer2=LEARNED2)
        wait_until(lambda: lab.forwards(PUBLIC) == "10.0.7.102", "the new route in the kernel")

        for announcer in announcers:  # the address is suspended
            announcer.announce({PUBLIC_IPV6: NODE1_IPV6}, version=3)
        learn(lab, PUBLIC)
        wait_until(lambda: lab.forwards(PUBLIC) == "", "no route in the kernel")
        assert lab.forwards(PUBLIC_IPV6) == "fd77::101"


def test_announcers_that_disagree_leave_the_router_a_route_until_both_have_the_newest_list(
    lab: BgpLab, announcers: list[Announcer]
) -> None:
    first, second = announcers
    with all_running(lab, announcers):
        for announcer in announcers:
            announcer.announce({PUBLIC: NODE1})
        learn(lab, PUBLIC, announcer1=LEARNED1, announcer2=LEARNED1)
        first.announce({PUBLIC: NODE2}, version=2)
        learn(lab, PUBLIC, announcer1=LEARNED2, announcer2=LEARNED1)
        assert lab.forwards(PUBLIC) in {"10.0.7.101", "10.0.7.102"}
        assert [each.status().version for each in announcers] == [2, 1], "the second one is behind"
        assert second.announce({PUBLIC: NODE2}, version=2).version == 2
        learn(lab, PUBLIC, announcer1=LEARNED2, announcer2=LEARNED2)
        wait_until(lambda: lab.forwards(PUBLIC) == "10.0.7.102", "the newest route in the kernel")

        first.announce({}, version=3)  # the address is withdrawn: by both, or it stays
        learn(lab, PUBLIC, announcer2=LEARNED2)
        wait_until(lambda: lab.forwards(PUBLIC) == "10.0.7.102", "the route of the other announcer")
        second.announce({}, version=3)
        learn(lab, PUBLIC)
        wait_until(lambda: lab.forwards(PUBLIC) == "", "no route in the kernel")


def test_router_takes_no_address_outside_the_pools(lab: BgpLab, announcers: list[Announcer]) -> None:
    with all_running(lab, announcers):
        for announcer in announcers:
            announcer.announce({FOREIGN: NODE1, FOREIGN_IPV6: NODE1_IPV6, PUBLIC: NODE1})
        learn(lab, PUBLIC, announcer1=LEARNED1, announcer2=LEARNED1)
        for address in (FOREIGN, FOREIGN_IPV6):
            learn(lab, address)


@pytest.mark.nightly
def test_frr_with_the_configuration_of_the_how_to(wired: BgpLab, announcers: list[Announcer]) -> None:
    frr = wired.start_frr()
    with all_running(wired, announcers):
        routes = {PUBLIC: NODE1, PUBLIC_IPV6: NODE1_IPV6, FOREIGN: NODE1, FOREIGN_IPV6: NODE1_IPV6}
        for announcer in announcers:
            announcer.announce(routes)
        wait_until(lambda: set(frr.sessions().values()) == {"Established"}, "both sessions")
        for address, learned in ((PUBLIC, ("10.0.7.101", "65001:100")), (PUBLIC_IPV6, ("fd77::101", ""))):
            expected = dict.fromkeys(ADDRESSES, learned)
            wait_until(lambda: frr.learned(address) == expected, f"{address} as {expected}")  # noqa: B023 - at once
            wait_until(lambda: wired.forwards(address) == learned[0], f"{address} in the kernel")  # noqa: B023
        assert frr.learned(FOREIGN) == frr.learned(FOREIGN_IPV6) == {}
        assert frr.advertised() == set()

        for announcer in announcers:  # the guest moves
            announcer.announce({PUBLIC: NODE2, PUBLIC_IPV6: NODE1_IPV6}, version=2)
        wait_until(lambda: wired.forwards(PUBLIC) == "10.0.7.102", "the new route in the kernel")
        for announcer in announcers:  # the address is suspended
            announcer.announce({PUBLIC_IPV6: NODE1_IPV6}, version=3)
        wait_until(lambda: frr.learned(PUBLIC) == {} and wired.forwards(PUBLIC) == "", "no route")
        assert wired.forwards(PUBLIC_IPV6) == "fd77::101"


def test_addresses_missed_by_a_killed_bird_are_not_announced(lab: BgpLab, announcers: list[Announcer]) -> None:
    first, second = announcers
    with ExitStack() as stack:
        for announcer in announcers:
            stack.enter_context(announcer.serving())
        stack.enter_context(lab.bird(ADDRESSES[1], second.folder))
        with lab.bird(ADDRESSES[0], first.folder) as bird:
            for announcer in announcers:
                announcer.announce({PUBLIC: NODE1})
            learn(lab, PUBLIC, announcer1=LEARNED1, announcer2=LEARNED1)
            bird.kill()  # SIGKILL
            bird.wait()
            state = first.announce({PUBLIC: NODE2}, version=2)
            assert (state.version, state.applied_version, state.problem) == (2, 0, "bird-silent")
        with lab.bird(ADDRESSES[0], first.folder):
            second.announce({PUBLIC: NODE2}, version=2)
            learn(lab, PUBLIC, announcer1=LEARNED2, announcer2=LEARNED2)
            assert first.status().problem == ""


def test_routes_outlive_a_killed_announcer(lab: BgpLab, announcers: list[Announcer]) -> None:
    first, _ = announcers
    first.routes.write_text("")
    with lab.bird(ADDRESSES[0], first.folder):
        with first.process() as process:
            first.announce({PUBLIC: NODE1}, version=5)
            learn(lab, PUBLIC, announcer1=LEARNED1)
            process.kill()
            process.wait()
        assert lab.learned(PUBLIC) == {"announcer1": LEARNED1}
        with first.process():
            assert first.announce({PUBLIC: NODE2}, version=4).version == 5
            assert lab.learned(PUBLIC) == {"announcer1": LEARNED1}


def test_foreign_configuration_is_replaced(lab: BgpLab, announcers: list[Announcer]) -> None:
    """A file that says something else than the document is written again, and BIRD reads it."""
    first, _ = announcers
    with first.serving(), lab.bird(ADDRESSES[0], first.folder):
        first.announce({PUBLIC: NODE1})
        learn(lab, PUBLIC, announcer1=LEARNED1)
        text = first.routes.read_text()
        first.routes.write_text(text.replace("203.0.113.7", "203.0.113.99"))
        Bird(first.control).configure()
        learn(lab, "203.0.113.99", announcer1=LEARNED1)
        assert first.status().problem == ""
        learn(lab, "203.0.113.99")
        learn(lab, PUBLIC, announcer1=LEARNED1)


def test_configuration_that_bird_refuses_is_a_problem(lab: BgpLab, announcers: list[Announcer]) -> None:
    first, _ = announcers
    with first.serving(), lab.bird(ADDRESSES[0], first.folder):
        first.announce({PUBLIC: NODE1})
        config = first.folder / "bird.conf"
        good = config.read_text()
        config.write_text(f"{good}\nsyntax {{")
        state = first.announce({PUBLIC: NODE2}, version=2)
        assert (state.version, state.applied_version, state.problem) == (2, 1, "bird-refused")
        config.write_text(good)
        assert first.status().problem == ""
        learn(lab, PUBLIC, announcer1=LEARNED2)
