"""What the adapters of a real node need before they begin."""

from pathlib import Path

import pytest

from agents.node.adapters.network import Outside
from agents.node.adapters.real import LONGEST_STATE_DIR, Options, real_adapters


def test_a_folder_in_which_no_socket_would_have_a_place_is_refused() -> None:
    folder = Path("/") / ("x" * LONGEST_STATE_DIR)
    with pytest.raises(ValueError, match="at most 61 characters"):
        real_adapters(folder, Options("test:///default", virt_type="qemu", outside=Outside(), arrivals=""), boot_id="")
