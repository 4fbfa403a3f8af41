"""Many nodes in one process, over the fake adapter: python -m agents.node.fleet --folder DIR --first-port PORT.

Serves fleets that are larger than one machine can run. Each folder in DIR is the state folder of an enrolled node; in
the order of their names the nodes listen on 127.0.0.1, at PORT and the ports that follow. Each has a server, a
certificate and a state store of its own, so that callers cannot tell them from agents in processes of their own. They
request leases.

On SIGUSR1 all guests of all nodes power themselves off.
"""

import argparse
import logging
import os
import resource
import signal
from collections.abc import Sequence
from pathlib import Path

from agents.node import logs
from agents.node.adapters.fake import FakeNode
from agents.node.adapters.interfaces import Power
from agents.node.lease import LeasePolicy
from agents.node.main import Config, Server, serve
from agents.node.serving import open_signal_pipe
from agents.node.trust.clock import Clock, kept_elsewhere

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    logs.configure("warning")
    hears = open_signal_pipe(signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    _allow_files()
    fakes: list[FakeNode] = []
    servers: list[Server] = []
    for number, folder in enumerate(sorted(path for path in options.folder.resolve().iterdir() if path.is_dir())):
        fakes.append(FakeNode())
        servers.append(serve(_config(folder, options.first_port + number), fakes[-1].adapters()))
    log.warning("serving %d nodes", len(servers))
    while os.read(hears, 1)[0] == signal.SIGUSR1:
        power_off(fakes)
    for server in servers:
        server.stop(0)


def power_off(fakes: Sequence[FakeNode]) -> None:
    for fake in fakes:
        for guest_id, guest in list(fake.guests.items()):
            if guest.power is Power.RUNNING:
                fake.guest_powers_off(guest_id)


def _config(folder: Path, port: int) -> Config:
    clock, lease = Clock(is_kept=kept_elsewhere), LeasePolicy(stops=True)
    return Config(folder, f"127.0.0.1:{port}", clock=clock, lease=lease)


def _allow_files() -> None:
    """Raise the limit of open files: a node has some fifteen files and sockets open."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="agents.node.fleet", description="Serve many agents with fake hypervisors, for load tests."
    )
    parser.add_argument("--folder", type=Path, required=True, help="folder with the state folders of the nodes")
    parser.add_argument("--first-port", type=int, required=True)
    return parser


if __name__ == "__main__":
    main()
