"""`make chaos SEED=…`: one run and its findings, as JSON. The exit status is 1 if there is any finding."""

import argparse
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path

from scripts.chaos.run import storm
from scripts.chaos.schedule import Length
from scripts.chaos.world import PORT, chaos_world
from scripts.control_plane import ROOT

FAKE, REAL = Length(400, 60, 150), Length(70, 18, 180)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real", action="store_true", help="use a lab with real guests; needs root")
    parser.add_argument("--acts", type=int, help=f"user actions; default: {FAKE.acts}; with --real: {REAL.acts}")
    parser.add_argument(
        "--strikes", type=int, help=f"faults to inject; default: {FAKE.strikes}; with --real: {REAL.strikes}"
    )
    parser.add_argument("--seconds", type=float, help=f"duration; default: {FAKE.seconds}; with --real: {REAL.seconds}")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--var", type=Path, default=ROOT / "var" / "chaos")
    options = parser.parse_args()
    given = {name: value for name in ("acts", "strikes", "seconds") if (value := getattr(options, name)) is not None}
    length = replace(REAL if options.real else FAKE, **given)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # told to end, it ends what it has started
    with chaos_world(options.var.absolute(), port=options.port, is_real=options.real) as world:
        verdict = storm(world, options.seed, length)
    print(json.dumps(verdict, indent=2))
    return 1 if verdict["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
