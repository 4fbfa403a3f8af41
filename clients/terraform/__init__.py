"""The Terraform provider. In a checkout it finds the SDK beside it; a package has both."""

import sys
from pathlib import Path

SDK = str(Path(__file__).resolve().parent.parent / "sdk")
if SDK not in sys.path:
    sys.path.insert(0, SDK)
