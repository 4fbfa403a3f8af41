"""Commands for developers: python -m agents.lab ceph --help"""

from __future__ import annotations

import argparse
from pathlib import Path

from agents.lab.ceph.cluster import CephCluster
from agents.lab.ceph.config import Store


def up(arguments: argparse.Namespace) -> None:
    CephCluster(arguments.dir).start(address=arguments.address, osds=arguments.osds, store=Store(arguments.store))
    status(arguments)


def down(arguments: argparse.Namespace) -> None:
    cluster = CephCluster(arguments.dir)
    cluster.remove() if arguments.remove_files else cluster.stop()


def status(arguments: argparse.Namespace) -> None:
    cluster = CephCluster(arguments.dir)
    print("conf", cluster.conf)
    for daemon in cluster.daemons():
        print(daemon, *cluster.pids(daemon))


def add_to(parser: argparse.ArgumentParser) -> None:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--dir", type=Path, default=Path("var/ceph"), help="folder of the cluster")
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("up", parents=[common], help="start what does not run; returns when RBD answers")
    command.add_argument("--address", help="IPv4 address of all daemons; default: one of 127.0.0.0/8, by the folder")
    command.add_argument("--osds", type=int, default=1, help="number of OSDs")
    command.add_argument(
        "--store",
        choices=[store.value for store in Store],
        default=Store.FILE.value,
        help="memstore: fast, lost when it ends; bluestore: in sparse files",
    )
    command.set_defaults(act=up)

    command = commands.add_parser("down", parents=[common], help="end all processes; the folder stays")
    command.add_argument("--remove-files", action="store_true", help="remove the folder too")
    command.set_defaults(act=down)

    command = commands.add_parser("status", parents=[common], help="print the ceph.conf, and one line per daemon")
    command.set_defaults(act=status)
