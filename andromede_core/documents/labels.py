"""Rule for labels: keys and values narrow enough for paths, selectors and log lines."""

import re

LABELS_MAX = 64
LABEL_KEY = re.compile(r"[a-z0-9A-Z]([-a-zA-Z0-9_./]{0,61}[a-zA-Z0-9])?")
LABEL_VALUE = re.compile(r"([a-zA-Z0-9]([-a-zA-Z0-9_./]{0,61}[a-zA-Z0-9])?)?")
