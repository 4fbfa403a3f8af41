"""Flag that this process is to end (SIGTERM): workers finish what they do and begin nothing new."""

import threading

requested = threading.Event()
