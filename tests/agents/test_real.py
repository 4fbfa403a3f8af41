"""Requirements of a real node's adapters at the start."""

from pathlib import Path

import pytest

from agents.node.adapters.libvirt_node import LONGEST_STATE_DIR, Options, real_adapters
from agents.node.adapters.network import UplinkPolicy


def test_folder_too_long_for_socket_paths_is_refused() -> None:
    folder = Path("/") / ("x" * LONGEST_STATE_DIR)
    with pytest.raises(ValueError, match="at most 61 characters"):
        real_adapters(
            folder, Options("test:///default", virt_type="qemu", outside=UplinkPolicy(), arrivals=""), boot_id=""
        )
