"""Messages of a worker process besides those in JSON: data that it sends before the answer. Needs no Ceph."""

import struct

DATA = b"\0"  # their first byte; JSON has another one
HEADER = struct.Struct(">QQ")  # the first one of a snapshot: its size, and what of it is used, in bytes
OFFSET = struct.Struct(">Q")  # the others: where in the snapshot the data begin
