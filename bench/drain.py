"""Benchmark of a drain: real guests move to another node of the zone while connections and counters go on.

Needs root. `ARGS="--guests 4 --at-once 1"` has fewer of them, and moves them one by one. Each guest counts twenty times
a second, and each of a pair has a TCP connection to the other; a missing number, or an ended connection, ends the
benchmark.
"""

import argparse
import time
from contextlib import closing

from bench.common import UNLIMITED, is_ready, print_progress, report, spread
from scripts.api import Api
from scripts.cloud import Cloud
from scripts.control_plane import ROOT, Stack
from scripts.polling import wait_until
from tests.cloud.uninterrupted_guests import UninterruptedGuests

PORT = 8014  # beside a benchmark that needs no lab
ZONE, NODE, OTHER = "fr-idf-1", "bench-a", "bench-b"
SETTINGS = UNLIMITED | {"OPERATION_LEASE_S": "30", "AGENT_TIMEOUT_S": "60"}
VCPUS_RATIO = "32"  # all of them fit on one node of a small machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--guests", type=int, default=10)
    parser.add_argument("--at-once", type=int, default=2)
    arguments = parser.parse_args()
    cloud = Cloud(Stack(ROOT / "var" / "bench-drain", port=PORT, settings=SETTINGS), {NODE: ZONE}, log=print_progress)
    cloud.down()
    cloud.forget()
    try:
        cloud.up("tiny")
        report(drained(cloud, arguments.guests, arguments.at_once))
    finally:
        cloud.down()


def drained(cloud: Cloud, count: int, at_once: int) -> dict[str, object]:
    token, operator = cloud.make_project("bench")
    with (
        closing(Api(cloud.stack.url, token, project="bench")) as api,
        closing(Api(cloud.stack.url, operator)) as platform,
    ):
        cloud.stack.manage("set_inventory", NODE, "--vcpus-ratio", VCPUS_RATIO)
        key = cloud.stack.var / "ssh-key"
        api.post("ssh-keys", {"name": "key", "public_key": cloud.make_ssh_key(key)})
        api.post("networks", {"name": "lan", "cidr": "10.20.0.0/24"})
        guests = UninterruptedGuests(cloud, api, platform, key)
        print_progress(f"booting {count} guests")
        boots = guests.board([f"guest-{number}" for number in range(count)], zone=ZONE, at=NODE)
        cloud.add(OTHER, ZONE)
        cloud.stack.manage("set_inventory", OTHER, "--vcpus-ratio", VCPUS_RATIO)
        wait_until(lambda: is_ready(platform, OTHER), limit_s=120)
        print_progress("draining the node")
        begun = time.monotonic()
        drain = guests.drain(NODE, limit_s=3600, at_once=at_once)
        seconds = time.monotonic() - begun
        if drain["state"] != "done":
            raise SystemExit(f"The drain is {drain['state']}: {drain['counts']}")
        guests.assert_undisturbed(boots, at=OTHER)
        moves = [
            platform.get(f"/v1/instances/{guest['instance']['id']}/migrations")["items"][0] for guest in drain["guests"]
        ]
        return {
            "guests": count,
            "at_once": at_once,
            "seconds": round(seconds, 1),
            "pause": spread([move["pause_ms"] / 1000 for move in moves]),
            "moved_mib": round(sum(move["moved_bytes"] for move in moves) / 2**20),
            "guests_down": 0,
            "connections": count // 2,
            "connections_broken": 0,
        }


if __name__ == "__main__":
    main()
