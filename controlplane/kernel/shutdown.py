"""Whether this process is to end (SIGTERM): who works on something finishes it and begins nothing new."""

import threading

requested = threading.Event()
