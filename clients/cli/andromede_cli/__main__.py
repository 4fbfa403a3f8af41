"""The command andromede."""

import sys

from andromede_cli import language


def main() -> None:
    arguments = sys.argv[1:]
    language.choose(arguments)
    from andromede_cli.app import run

    sys.exit(run(arguments))


if __name__ == "__main__":
    main()
