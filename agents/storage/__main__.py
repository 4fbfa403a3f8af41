"""Start the storage agent: python -m agents.storage --state-dir DIR --listen ADDRESS:PORT --pool NAME."""

import argparse
import logging
import os
import re
import signal
from collections.abc import Sequence
from pathlib import Path

from agents.node import logs
from agents.node.serving import open_signal_pipe
from agents.node.trust.clock import Clock, kept_elsewhere
from agents.storage.server import IMAGE_MAX_BYTES, LIMIT_S, Config, serve
from agents.storage.workers import Access
from telemetry.kernel_clock import is_synchronised

log = logging.getLogger(__name__)

GIB = 2**30
CLOCKS = {"synchronised": is_synchronised, "kept-elsewhere": kept_elsewhere}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # what needs no quotes in capabilities


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    logs.configure(options.log_level, process="storage")
    reads = open_signal_pipe(signal.SIGTERM, signal.SIGINT)
    try:
        server = serve(_config(options))
    except RuntimeError as exc:
        raise SystemExit(f"storage: {exc}") from exc
    os.read(reads, 1)
    log.info("stopping")
    server.stop()


def _config(options: argparse.Namespace) -> Config:
    return Config(
        options.state_dir.resolve(),
        options.listen,
        Access(str(options.conf), options.client, str(options.keyring or "")),
        pools=tuple(dict.fromkeys(options.pool)),
        limit_s=options.limit_s,
        image_max_bytes=options.image_max_gib * GIB,
        clock=Clock(is_kept=CLOCKS[options.clock]),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agents.storage", description="The storage agent of a Ceph cluster.")
    parser.add_argument("--state-dir", type=Path, required=True, help="state folder of the storage agent")
    parser.add_argument("--listen", required=True, metavar="ADDRESS:PORT")
    parser.add_argument(
        "--pool", type=_name, action="append", required=True, metavar="NAME", help="pool to serve; may be repeated"
    )
    parser.add_argument("--conf", type=Path, default=Path("/etc/ceph/ceph.conf"), help="the cluster's ceph.conf")
    parser.add_argument("--client", type=_name, default="andromede", metavar="NAME", help='user, without "client."')
    parser.add_argument("--keyring", type=Path, help="its keyring; default: where ceph.conf says")
    parser.add_argument(
        "--limit-s", type=float, default=LIMIT_S, help="seconds without an answer after which the cluster is silent"
    )
    parser.add_argument(
        "--image-max-gib", type=int, default=IMAGE_MAX_BYTES // GIB, help="largest image, also as its guest sees it"
    )
    parser.add_argument(
        "--clock",
        default="synchronised",
        choices=sorted(CLOCKS),
        help="kept-elsewhere: the clock is synchronised outside this kernel (containers); the kernel is not checked",
    )
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    return parser


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name of letters, digits, dots, dashes and underscores")
    return text


if __name__ == "__main__":
    main()
