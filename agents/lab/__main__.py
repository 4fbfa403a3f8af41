"""Command line of the lab: python -m agents.lab --help"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from agents.lab import Lab, LabError, LabNode
from agents.lab.ceph import commands as ceph
from agents.lab.shell import print_status


def main() -> int:
    options, command = _split_at_dashes(sys.argv[1:])
    arguments = _parser().parse_args(options)
    arguments.command = command
    try:
        return int(arguments.act(arguments) or 0)
    except LabError as exc:
        print_status(f"lab: {exc}")
        return 1


def up(arguments: argparse.Namespace) -> None:
    names = [f"hv{i + 1}" for i in range(arguments.nodes)]
    Lab(arguments.dir, subnet=arguments.subnet, is_guarded=not arguments.unguarded).up(names)
    status(arguments)


def down(arguments: argparse.Namespace) -> None:
    lab = Lab(arguments.dir)
    lab.remove() if arguments.remove_files else lab.down()


def status(arguments: argparse.Namespace) -> None:
    for node in Lab(arguments.dir).nodes:
        daemon = "libvirtd" if node.pids("libvirtd") else "-"
        guests = len(node.pids("qemu-system-x86"))
        power = "on" if node.is_on else "off"
        print(node.name, node.address, power, daemon, f"guests={guests}", node.libvirt_uri)


def execute(arguments: argparse.Namespace) -> None:
    command = arguments.command or ["bash", "-i"]
    argv = _node(arguments).entering(command)
    os.execvp(argv[0], argv)


def power_on(arguments: argparse.Namespace) -> None:
    _node(arguments).start()


def power_off(arguments: argparse.Namespace) -> None:
    _node(arguments).power_off()


def _split_at_dashes(words: list[str]) -> tuple[list[str], list[str]]:
    """Split at "--": the arguments after it belong to another program."""
    end = words.index("--") if "--" in words else len(words)
    return words[:end], words[end + 1 :]


def _node(arguments: argparse.Namespace) -> LabNode:
    return Lab(arguments.dir).node(arguments.node)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--dir", type=Path, default=Path("var/lab"), help="folder of the lab")
    parser = argparse.ArgumentParser(prog="python -m agents.lab", description=__doc__)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("up", parents=[common], help="create the nodes and power them on")
    command.add_argument("--nodes", type=int, default=3, help="number of nodes, named hv1 to hvN")
    command.add_argument("--subnet", help="/24 network of the underlay; default: a free one")
    command.add_argument(
        "--unguarded",
        action="store_true",
        help="let libvirt start any guest, not only those that the agent allows",
    )
    command.set_defaults(act=up)

    command = commands.add_parser("down", parents=[common], help="remove the nodes; the folder stays")
    command.add_argument("--remove-files", action="store_true", help="remove the folder too")
    command.set_defaults(act=down)

    command = commands.add_parser("status", parents=[common], help="print one line per node")
    command.set_defaults(act=status)

    for name, act in (("power-on", power_on), ("power-off", power_off)):
        command = commands.add_parser(name, parents=[common])
        command.add_argument("node")
        command.set_defaults(act=act)

    command = commands.add_parser(
        "exec", parents=[common], help="run the command after -- on a node; without a command, a shell"
    )
    command.add_argument("node")
    command.set_defaults(act=execute)

    ceph.add_to(commands.add_parser("ceph", help="a Ceph cluster"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
