"""The Terraform provider. In a checkout it uses the SDK beside it; a package contains both."""

import sys
from pathlib import Path

SDK = str(Path(__file__).resolve().parent.parent / "sdk")
if SDK not in sys.path:
    sys.path.insert(0, SDK)
