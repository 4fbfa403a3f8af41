"""A node's QEMU, as far as RBD is concerned: a process that has a volume open, and writes when it is told to.

Arguments: monitors, client, pool, image; the key is the first line of its input. Then each line of input is one write,
and each line of output its outcome: the name of the error, or "written".
"""

import sys

import rados
import rbd


def main() -> None:
    monitors, client, pool, image = sys.argv[1:]
    settings = {"mon_host": monitors, "key": sys.stdin.readline().strip()}
    with (
        rados.Rados(name=f"client.{client}", conf=settings) as connection,
        connection.open_ioctx(pool) as ioctx,
        rbd.Image(ioctx, image) as opened,
    ):
        for line in sys.stdin:
            try:
                opened.write(line.encode().ljust(512), 0)
                opened.flush()
            except rbd.Error as exc:
                print(type(exc).__name__, flush=True)
            else:
                print("written", flush=True)


if __name__ == "__main__":
    main()
