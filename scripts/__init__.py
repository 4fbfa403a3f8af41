"""Programs that run and check this project from a checkout.

The clients are distributions of their own; here they are used as they are in the checkout.
"""

import sys
from pathlib import Path

CLIENTS = Path(__file__).resolve().parent.parent / "clients"
sys.path[:0] = [str(CLIENTS / name) for name in ("sdk", "cli") if str(CLIENTS / name) not in sys.path]
