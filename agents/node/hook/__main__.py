"""Install libvirt's hook on this node, or check that libvirt honours it: python -m agents.node.hook --help"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from agents.node.hook import script
from agents.node.hook.state import InstalledHook


def install(path: Path, socket: Path) -> int:
    outcome = "installed; restart libvirtd, guests run on" if script.install(path, socket) else "unchanged"
    sys.stdout.write(f"{path}: {outcome}\n")
    return 0


def check(path: Path, socket: Path) -> int:
    state = InstalledHook(path, socket).state()
    sys.stdout.write(json.dumps(dataclasses.asdict(state)) + "\n")
    return 0 if state.is_active else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m agents.node.hook", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for act, text in (
        (install, "install the hook"),
        (check, "print the state of the hook; exit code 1 if libvirtd does not call it"),
    ):
        command = commands.add_parser(act.__name__, help=text)
        command.add_argument("--path", type=Path, default=script.DEFAULT_PATH)
        command.add_argument(
            "--socket", type=Path, required=True, help="socket of the agent, by default STATE_DIR/hook.sock"
        )
        command.set_defaults(act=act)
    options = parser.parse_args()
    try:
        return int(options.act(options.path, options.socket.absolute()))
    except (OSError, ValueError) as exc:
        sys.stderr.write(f"hook: {exc}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
