"""Benchmark of an evacuation without an operator: a node with real guests is killed, and its guests start elsewhere.

Its BMC proves that it is off, and its guests start on another node of its zone, with their written data. Needs root.

`ARGS="--guests 4"` has fewer of them. Their disks are in a pool that both nodes have mounted. Each guest counts and
syncs twenty times a second, and prints its last number at each boot; a guest that is not back, that lost a number from
its disk, or that ran twice ends the benchmark. The floor is the time of the same guests' first boot. At the end the
node comes back, and has to forget them.
"""

import argparse
import json
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field

from agents.lab import Lab, LabNode
from bench.common import UNLIMITED, is_ready, moment, print_progress, report, spread
from bench.drain import VCPUS_RATIO
from scripts.api import Api, ApiError
from scripts.cloud import POOL, Cloud
from scripts.control_plane import ROOT, Stack
from scripts.polling import wait_until
from tests.cloud.uninterrupted_guests import COUNT, KEPT, REMEMBER, SYNCED, UninterruptedGuests
from tests.redfish import Emulator, emulated

PORT = 8018  # beside a benchmark that needs no lab, and a drain
ZONE, NODE, OTHER = "fr-idf-1", "evac-a", "evac-b"
OFFERS = {
    "schema": "andromede.offers/1",
    "flavors": [],
    "volume_types": [{"id": POOL, "description": "In storage that both nodes share.", "pool": POOL}],
}
LEASE_S = 60
AIM_S = 60  # over the lease
SETTINGS = UNLIMITED | {
    "OPERATION_LEASE_S": "30",
    "AGENT_TIMEOUT_S": "60",
    "NODE_LEASE_S": str(LEASE_S),
    "BMC_NETWORKS": "127.0.0.0/8",
}
READY = "ssh ready"
BOOT_S = 900
LOOK_S = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guests", type=int, default=10)
    count = parser.parse_args().guests
    stack = Stack(ROOT / "var" / "bench-evacuate", port=PORT, settings=SETTINGS)
    pool = Lab(stack.var / "lab").pool_folder
    cloud = Cloud(stack, {NODE: ZONE}, pools={NODE: pool, OTHER: pool}, log=print_progress)
    cloud.down()
    cloud.forget()
    try:
        cloud.up("tiny")
        (stack.var / "bmc").mkdir()
        with emulated(stack.var / "bmc") as bmc:
            report(evacuated(cloud, bmc, count))
    finally:
        cloud.down()


def evacuated(cloud: Cloud, bmc: Emulator, count: int) -> dict[str, object]:
    token, operator = cloud.make_project("bench")
    with (
        closing(Api(cloud.stack.url, token, project="bench")) as api,
        closing(Api(cloud.stack.url, operator)) as platform,
    ):
        guests = prepared(cloud, api, platform, bmc)
        print_progress(f"booting {count} guests")
        crew = boarded(guests, [f"guest-{number}" for number in range(count)])
        cloud.add(OTHER, ZONE)
        cloud.stack.manage("set_inventory", OTHER, "--vcpus-ratio", VCPUS_RATIO)
        wait_until(lambda: is_ready(platform, OTHER), limit_s=300)
        print_progress("guests write their counters")
        crew.count_on()
        print_progress("powering the node off")
        killed_at = time.time()
        cloud.node(NODE).power_off()
        crew.wait_for_return(killed_at)
        document = measured(crew, platform, killed_at)
        print_progress(json.dumps(document))  # the rest takes a while
        crew.look_over_network()
        returned(crew, platform, bmc)
        crew.assert_once()
        return document | {"started_twice": 0, "lost": 0}


def prepared(cloud: Cloud, api: Api, platform: Api, bmc: Emulator) -> UninterruptedGuests:
    offers = cloud.stack.var / "offers.json"
    offers.write_text(json.dumps(OFFERS))
    cloud.stack.manage("import_offers", str(offers))
    cloud.stack.manage("set_inventory", NODE, "--vcpus-ratio", VCPUS_RATIO)
    platform.put(f"/v1/nodes/{NODE}/bmc", bmc.access)
    key = cloud.stack.var / "ssh-key"
    api.post("ssh-keys", {"name": "key", "public_key": cloud.make_ssh_key(key)})
    api.post("networks", {"name": "lan", "cidr": "10.20.0.0/24"})
    wait_until(lambda: is_ready(platform, NODE), limit_s=300)
    return UninterruptedGuests(cloud, api, platform, key, root_type=POOL)


@dataclass
class Crew:
    """Guests by name, with their ids.

    `booted`: seconds from the request for all of them to each one's first boot; `counted`: a number that was on its
    disk before the kill; `answered`: seconds from then until it printed its stored number, `kept`.
    """

    guests: UninterruptedGuests
    ids: Mapping[str, str]
    booted: Mapping[str, float]
    counted: dict[str, int] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)

    def count_on(self) -> None:
        for name in self.ids:
            self.guests.run(name, f"{REMEMBER}; {COUNT} echo counting", at=NODE)
        for name in self.ids:
            self.counted[name] = int(self.guests.run(name, SYNCED, at=NODE))

    def wait_for_return(self, killed_at: float) -> None:
        node = self.guests.cloud.node(OTHER)

        def look() -> bool:
            for name in self.ids.keys() - self.answered.keys():
                if match := KEPT.search(console(node, self.ids[name])):
                    self.answered[name] = time.time() - killed_at
                    self.kept[name] = int(match[1])
            return len(self.answered) == len(self.ids)

        wait_until(look, limit_s=LEASE_S + BOOT_S, rarest_s=LOOK_S, or_else=self._missing)
        for name, count in self.counted.items():
            if self.kept[name] < count:
                raise SystemExit(
                    f"{name} had counter {count} on its disk before the failure and {self.kept[name]} after it."
                )

    def _missing(self) -> str:
        drain = self.guests.operator.get(f"/v1/nodes/{NODE}/drain")
        return f"{sorted(self.ids.keys() - self.answered.keys())} are not back; {json.dumps(drain)}"

    def look_over_network(self) -> None:
        """Check over the network that each guest runs on the other node, with the printed number on its disk."""
        for name, count in self.kept.items():
            stored = int(self.guests.run(name, "tail -n 1 /count", at=OTHER))
            if stored != count:
                raise SystemExit(f"{name} reported counter {count} as stored, but its disk has {stored}.")

    def assert_once(self) -> None:
        """Check that each guest runs once, by the nodes' receipts and by what runs now."""
        for name, id_ in self.ids.items():
            residency = self.guests.api.get(f"/v1/resources/{id_}/residency", role="compute")
            places = [interval["node"] for interval in residency["intervals"]]
            if residency["problems"] or len(places) != 2 or len(set(places)) != 2:
                raise SystemExit(f"{name} did not run on one node and then on the other: {json.dumps(residency)}")
        cloud = self.guests.cloud
        running = [len(cloud.node(node).guest_pids()) for node in (NODE, OTHER)]
        if running != [0, len(self.ids)]:
            raise SystemExit(f"{running} guests run on the two nodes.")


def boarded(guests: UninterruptedGuests, names: list[str]) -> Crew:
    begun, node, booted = time.time(), guests.cloud.node(NODE), dict[str, float]()
    ids = guests.make(names, zone=ZONE)

    def look() -> bool:
        for name in ids.keys() - booted.keys():
            if READY in console(node, ids[name]):
                booted[name] = time.time() - begun
        return len(booted) == len(ids)

    wait_until(look, limit_s=BOOT_S, rarest_s=LOOK_S, or_else=lambda: f"{sorted(ids.keys() - booted.keys())}")
    return Crew(guests, ids, booted)


def console(node: LabNode, instance_id: str) -> str:
    path = node.agent_folder / "instances" / instance_id / "console.log"
    return path.read_text(errors="replace") if path.exists() else ""


def measured(crew: Crew, platform: Api, killed_at: float) -> dict[str, object]:
    """Return the seconds from the kill."""
    fenced = platform.get(f"/v1/nodes/{NODE}/fencing")["evidence"]
    events = platform.get("/v1/events", resource=platform.get(f"/v1/nodes/{NODE}")["id"], kind="node.*", limit="200")
    seconds_by_kind = {event["kind"]: moment(event["created_at"]) - killed_at for event in events["items"]}
    moves = [platform.get(f"/v1/instances/{id_}/migrations")["items"] for id_ in crew.ids.values()]
    if any([move["state"] for move in each] != ["done"] for each in moves):
        raise SystemExit(f"Not each guest was evacuated once: {json.dumps(moves)}")
    begun, active = ([moment(each[0][what]) - killed_at for each in moves] for what in ("created_at", "arrived_at"))
    fenced_after = moment(fenced["created_at"]) - killed_at
    first_boot, answered = max(crew.booted.values()), list(crew.answered.values())
    return {
        "guests": len(crew.ids),
        "lease_s": LEASE_S,
        "aim_s": LEASE_S + AIM_S,
        "evidence": fenced["kind"],
        "unreachable_s": round(seconds_by_kind["node.unreachable"], 1),
        "fenced_s": round(fenced_after, 1),
        "recovery_begun_s": round(seconds_by_kind["node.recovering"], 1),
        "first_evacuation_begun_s": round(min(begun), 1),
        "last_evacuation_begun_s": round(max(begun), 1),
        "last_active_s": round(max(active), 1),
        "last_answers_s": round(max(answered), 1),
        "active": spread(active),
        "answers": spread(answered),
        "floor": {"first_boot": spread(list(crew.booted.values()))},
        "fenced_to_last_active_s": round(max(active) - fenced_after, 1),
        "fenced_to_last_answers_s": round(max(answered) - fenced_after, 1),
        "ratio_to_first_boot": round((max(answered) - fenced_after) / first_boot, 2),
    }


def returned(crew: Crew, platform: Api, bmc: Emulator) -> None:
    """Repair the node. It must not start the evacuated guests at any moment, and forgets them."""
    cloud = crew.guests.cloud
    print_progress("powering the node on")
    bmc.press("On")
    cloud.lab.up([NODE])
    cloud.start_agent(NODE)

    def is_cleared() -> bool:
        if cloud.node(NODE).guest_pids():
            raise SystemExit("The node started an evacuated guest after its return.")
        return is_ready(platform, NODE) and not defined(cloud.node(NODE))

    wait_until(is_cleared, limit_s=300, or_else=lambda: f"it still has {defined(cloud.node(NODE))}")
    platform.post(f"/v1/nodes/{NODE}/actions/maintain", {"reason": "it was repaired"})
    wait_until(lambda: is_in_service(platform), limit_s=60)
    open_ones = [each for each in platform.get(f"/v1/nodes/{NODE}/incidents")["items"] if each["ended_at"] is None]
    if open_ones:
        raise SystemExit(f"The node has incidents after its return: {json.dumps(open_ones)}")


def is_in_service(platform: Api) -> bool:
    """Return whether the node is in service; it is not while it still has parts of evacuated guests."""
    try:
        platform.post(f"/v1/nodes/{NODE}/actions/return")
    except ApiError as exc:
        if exc.code != "node.not_cleared":
            raise
        return False
    return True


def defined(node: LabNode) -> list[str]:
    return node.exec(["virsh", "list", "--all", "--name"]).stdout.split()


if __name__ == "__main__":
    main()
