"""Start the announcer: python -m agents.announcer --state-dir DIR --listen ADDRESS:PORT --routes FILE."""

import argparse
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from agents.announcer.server import Config, serve
from agents.node import logs
from agents.node.serving import open_signal_pipe

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    logs.configure(options.log_level, process="announcer")
    reads = open_signal_pipe(signal.SIGTERM, signal.SIGINT)
    server = serve(Config(options.state_dir.resolve(), options.listen, options.routes, options.bird_control))
    os.read(reads, 1)
    log.info("stopping")
    server.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agents.announcer", description="The announcer of a zone, beside its BIRD.")
    parser.add_argument("--state-dir", type=Path, required=True, help="state folder of the announcer")
    parser.add_argument("--listen", required=True, metavar="ADDRESS:PORT")
    parser.add_argument(
        "--routes", type=Path, required=True, metavar="FILE", help="file that BIRD's configuration includes"
    )
    parser.add_argument("--bird-control", type=Path, default=Path("/run/bird/bird.ctl"), help="BIRD's control socket")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    return parser


if __name__ == "__main__":
    main()
