"""The pictures and figures of metrics, and the commands that show them."""

from pathlib import Path

import pytest

from andromede_cli.commands.metrics import WIDTH, picture, worded
from andromede_sdk import Client
from scripts.polling import wait_until
from tests.clients.cli import Inside, inside
from tests.clients.conftest import Live
from tests.limits import PATIENCE_S

PORT_SERIES = [
    "network_in_bytes_per_s",
    "network_out_bytes_per_s",
    "network_in_packets_per_s",
    "network_out_packets_per_s",
    "network_in_dropped_per_s",
    "network_out_dropped_per_s",
    "security_group_in_dropped_per_s",
    "security_group_out_dropped_per_s",
    "bandwidth_in_dropped_per_s",
    "bandwidth_out_dropped_per_s",
]


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([None, None], ""),
        ([0, 0], "▁▁"),
        ([0, 4, 8], "▁▅█"),
        ([None, 8, None, 8, None], " █ █"),
        ([1.0] * 400, "█" * WIDTH),
        ([None] * 200 + [5] * 200, " " * 20 + "█" * 20),
        ([0, 8] * WIDTH, "█" * WIDTH),
    ],
)
def test_bars_scale_from_zero_to_the_maximum(values: list[float | None], bars: str) -> None:
    assert picture(values) == bars


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.256, "ratio", "26 %"),
        (0, "ratio", "0 %"),
        (1536.4, "MiB", "1536 MiB"),
        (0, "bytes/s", "0 B/s"),
        (999.4, "bytes/s", "999 B/s"),
        (999.9, "bytes/s", "1 kB/s"),
        (52_428_800, "bytes/s", "52.4 MB/s"),
        (12.34, "requests/s", "12.3 /s"),
        (2500, "packets/s", "2.5 k/s"),
        (5e16, "bytes/s", "5e+04 TB/s"),
    ],
)
def test_values_are_short_and_have_a_unit(value: float, unit: str, words: str) -> None:
    assert worded(value, unit) == words


@pytest.fixture
def cli(tmp_path: Path, live: Live, client: Client) -> Inside:
    return inside(tmp_path, live, live.token, ANDROMEDE_PROJECT="demo")


@pytest.mark.slow
def test_metrics_of_an_instance_and_its_node_are_shown(cli: Inside, live: Live, tmp_path: Path) -> None:
    cli.ok("instance", "create", "web", "--flavor", "tiny", "--image", "tiny", "--network", "lan")

    def rates(*words: str) -> list[float]:
        series = cli.ok(*words, "--resolution", "1s", "-o", "json").json
        return [value for _, value in series["series"][0]["points"] if value is not None]

    asked = ("instance", "metrics", "web", "--since", "10m")
    wait_until(lambda: rates(*asked) != [], limit_s=PATIENCE_S)
    lines = cli.ok(*asked).out.splitlines()
    assert lines[0].split()[:4] == ["SERIES", "LAST", "MEAN", "HIGHEST"]
    assert [line.split()[0] for line in lines[1:]] == cli.ok(*asked, "-o", "name").out.split()
    assert lines[1].startswith("cpu_used_ratio ") and "█" in lines[1]
    port = cli.ok("port", "list", "--instance", "web", "-o", "name").out.strip()
    of_port = ("port", "metrics", port, "--since", "10m")
    wait_until(lambda: rates(*of_port) != [], limit_s=PATIENCE_S)
    assert [line.split()[0] for line in cli.ok(*of_port).out.splitlines()[1:]] == PORT_SERIES
    refused = cli(*asked[:3], "--since", "lately")
    assert (refused.code, "Write 6h" in refused.err) == (2, True)
    assert "resolution" in cli(*asked, "--resolution", "1500ms").err
    operator = inside(tmp_path, live, live.operator)
    used = [operator.ok("node", "metrics", node, "-o", "json").json for node in ("node-a", "node-b")]
    assert [value for each in used for _, value in each["series"][0]["points"] if value]
