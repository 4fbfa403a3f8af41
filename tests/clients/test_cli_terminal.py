"""The command line on a terminal, with a person before it; and what is kept of them."""

import re
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from andromede_cli.commands.console import place_of
from andromede_cli.commands.console_log import added
from andromede_cli.consoles import address
from andromede_cli.error_reports import Misuse
from andromede_cli.replay_filter import without_questions
from andromede_cli.terminal import harmless
from andromede_sdk import Client
from tests.clients.cli import Inside, Terminal, on_terminal, signed_in
from tests.clients.conftest import Live
from tests.clients.proxy import proxy_to
from tests.limits import PATIENCE_S

pytestmark = pytest.mark.slow

CREATE = ("--flavor", "tiny", "--image", "tiny", "--network", "lan")
CTRL_C = "\x03"
LEAVE = "\x1d"


@pytest.fixture
def cli(commands: Path, tmp_path: Path, live: Live, client: Client) -> Inside:
    return signed_in(commands / "andromede", tmp_path, live)


@pytest.fixture
def stranger(commands: Path, tmp_path: Path) -> Inside:
    """Return a user's command line without a configuration."""
    return Inside(commands / "andromede", tmp_path)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for each in opened:
        each.close()


def test_progress_is_shown_on_a_terminal(cli: Inside, terminals: list[Terminal]) -> None:
    terminal = on_terminal(cli, "instance", "create", "web", *CREATE)
    terminals.append(terminal)
    terminal.wait_for("instance.create")
    terminal.wait_for("root-disk")
    assert terminal.finish() == 0
    assert b"active" in terminal.seen


def test_a_pipe_gets_no_colours_and_no_spinner(cli: Inside) -> None:
    result = cli.apart.ok("instance", "create", "web", *CREATE)
    assert result.err == ""
    assert "\x1b" not in result.out and "\r" not in result.out
    assert "start false: The instance is active" in result.out and "reboot true\n" in result.out
    assert re.search(r"network=lan, port=port-\w+, ip=", result.out)


def test_ctrl_c_leaves_the_operation_and_prints_the_next_command(
    cli: Inside, live: Live, terminals: list[Terminal]
) -> None:
    live.cloud.stack.kill("agent-node-b")
    try:
        terminal = on_terminal(cli, "instance", "create", "web", *CREATE, "--zone", "de-rhein-1")
        terminals.append(terminal)
        terminal.wait_for("instance.create")
        terminal.type(CTRL_C)
        terminal.wait_for("continues. Wait for it with")
        assert terminal.finish() == 130
    finally:
        live.cloud.start_agent("node-b")
    operation = terminal.seen.decode().rpartition("andromede operation wait ")[2].split()[0]
    assert cli.ok("operation", "wait", operation, "-o", "json").json["state"] == "succeeded"


@pytest.mark.parametrize(("answer", "is_gone"), [("y", True), ("n", False), ("", False)])
def test_confirmation_is_prompted(
    cli: Inside, client: Client, terminals: list[Terminal], answer: str, is_gone: bool
) -> None:
    cli.ok("volume", "create", "data", "--size", "1")
    terminal = on_terminal(cli, "volume", "delete", "data")
    terminals.append(terminal)
    terminal.wait_for("The data on it is lost. [y/N] ")
    terminal.type(f"{answer}\n")
    assert terminal.finish() == (0 if is_gone else 2)
    assert (client.volumes.list().first() is None) == is_gone


def test_typed_token_is_not_echoed(stranger: Inside, live: Live, terminals: list[Terminal]) -> None:
    terminal = on_terminal(stranger, "login", live.url)
    terminals.append(terminal)
    terminal.wait_for("Token: ")
    terminal.type(f"{live.token}\n")
    assert terminal.finish() == 0
    assert live.token.encode() not in terminal.seen
    assert stranger.ok("network", "list", "-o", "name").out == "lan\n"


def test_sign_in_is_stored_readable_by_its_owner_only(stranger: Inside, live: Live) -> None:
    result = stranger.ok("login", live.url, "--token", stdin=f"{live.token}\n")
    assert live.token not in result.out + result.err
    file = stranger.home / "config" / "andromede" / "profiles.yaml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert yaml.safe_load(file.read_text())["profiles"]["default"]["project"] == "demo"
    assert stranger.ok("profile", "show", "-o", "json").json["has_token"] is True
    assert stranger.ok("network", "list", "-o", "name").out == "lan\n"
    operator = stranger.ok("--profile", "ops", "login", live.url, "--token", stdin=live.operator)
    assert "profile ops" in operator.err
    assert stranger.ok("node", "list", "-o", "name").out.split() == ["node-a", "node-b"]
    stranger.ok("profile", "use", "default")
    assert stranger("node", "list").code == 7
    assert stranger.ok("node", "list", ANDROMEDE_PROFILE="ops").out
    assert stranger.ok("profile", "list", "-o", "name").out.split() == ["default", "ops"]
    stranger.ok("logout")
    assert live.token not in file.read_text()
    assert stranger("network", "list").code == 7
    stranger.ok("profile", "delete", "ops")
    assert live.operator not in file.read_text()


def test_token_is_sent_only_to_its_control_plane(stranger: Inside, live: Live) -> None:
    stranger.ok("login", live.url, "--token", stdin=live.token)
    with proxy_to(live.url) as proxy:
        assert stranger("--url", proxy.url, "--project", "demo", "network", "list").code == 7
        assert proxy.headers("authorization") == [None]
    wrong = stranger("login", live.url, "--token", stdin="andromede_wrong")
    assert wrong.code == 7
    assert stranger.ok("network", "list", "-o", "name").out == "lan\n"


def test_readable_or_malformed_profile_file_is_refused(stranger: Inside, live: Live) -> None:
    stranger.ok("login", live.url, "--token", stdin=live.token)
    file = stranger.home / "config" / "andromede" / "profiles.yaml"
    file.chmod(0o644)
    assert "chmod 600" in stranger("network", "list").err
    file.chmod(0o600)
    for text in ("profiles: [", "[]", "profiles: {default: 7}"):
        file.write_text(text)
        assert stranger("network", "list").code == 2


def test_completion_knows_commands_and_options(stranger: Inside) -> None:
    script = stranger.apart.ok("instance", _ANDROMEDE_COMPLETE="source_bash").out
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    words = {"_ANDROMEDE_COMPLETE": "complete_bash", "COMP_WORDS": "andromede instance re", "COMP_CWORD": "2"}
    assert set(stranger.apart(**words).out.split()) == {
        "reboot",
        "reset",
        "resize",
        "rebuild",
        "relocate",
        "relocation-plan",
    }
    words = {"_ANDROMEDE_COMPLETE": "complete_bash", "COMP_WORDS": "andromede instance list --out", "COMP_CWORD": "3"}
    assert stranger.apart(**words).out.split() == ["--output"]


def test_completion_suggests_resource_names(cli: Inside, client: Client) -> None:
    client.networks.create(name="back", cidr="10.73.0.0/24")
    for line, number, names in (
        ("andromede network show ", 3, {"lan", "back"}),
        ("andromede network delete b", 3, {"back"}),
        ("andromede instance create web --image ti", 5, {"tiny"}),
        ("andromede --project demo instance list --zone fr", 6, {"fr-idf-1"}),
    ):
        words = {"_ANDROMEDE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(number)}
        assert set(cli.apart(**words).out.split()) >= names, line
    client.networks.delete("back")
    lost = cli.apart(**{**words, "ANDROMEDE_URL": "https://127.0.0.1:9"})
    assert (lost.code, lost.out.strip()) == (0, "")


def test_serial_console_is_interactive(cli: Inside, terminals: list[Terminal]) -> None:
    cli.ok("instance", "create", "web", *CREATE)
    terminal = on_terminal(cli, "instance", "console", "web")
    terminals.append(terminal)
    terminal.wait_for("Ctrl+] leaves it.")
    terminal.wait_for("has booted.")
    terminal.type("hello\r")
    terminal.wait_for("hello\r\nhello\r\nfake# ")
    terminal.type(CTRL_C)  # is the guest's
    terminal.wait_for("\x03")
    terminal.type(LEAVE)
    assert terminal.finish() == 0


def test_queries_in_the_scrollback_do_not_reach_the_terminal(cli: Inside, terminals: list[Terminal]) -> None:
    """The terminal would answer them, and the guest read the answers as keys."""
    cli.ok("instance", "create", "web", *CREATE)
    first = on_terminal(cli, "instance", "console", "web")
    terminals.append(first)
    first.wait_for("has booted.")
    first.type("\x1b[6n\x1b[cA\r")  # which the guest says again
    first.wait_for("\x1b[6n\x1b[cA\r\nfake# ")
    assert b"\x1b[6n" in first.seen, "what is asked now is passed on"
    first.type(LEAVE)
    assert first.finish() == 0
    second = on_terminal(cli, "instance", "console", "web")
    terminals.append(second)
    second.wait_for("A\r\nfake# ")
    assert b"\x1b[6n" not in second.seen
    assert b"\x1b[c" not in second.seen
    second.type("\x1b[5nB\r")
    second.wait_for("\x1b[5nB\r\nfake# ")
    second.type(LEAVE)
    assert second.finish() == 0


QUESTIONS = (
    *("\x1b[c", "\x1b[0c", "\x1b[>c", "\x1b[=c", "\x1bZ", "\x05", "\x1b[5n", "\x1b[6n", "\x1b[?6n", "\x1b[x", "\x9b6n"),
    *("\x1b[?1$p", "\x1b[4$p", "\x1b[1;1;1;1;24;80*y", "\x1b[14t", "\x1b[18t", "\x1b[21t", "\x1b[?u", "\x1b[>q"),
    *("\x1b[1$w", "\x1b[&u", "\x1bP$qm\x1b\\", "\x1bP+q544e\x1b\\", "\x1b]11;?\x07", "\x1b]52;c;?\x1b\\"),
    *("\x1b_Gi=1,a=q;AAAA\x1b\\", "\x1b[6\x07n", "\x1b\x07[6n", "\x1b\x1b]x\x07[6n", "\x1b[6é\x1b[6n", "\x1b[\x1b[6n"),
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_terminal_queries_are_removed(question: str) -> None:
    left = without_questions(f"before{question}after".encode()).decode()
    assert "before" in left and "after" in left
    assert not re.search(r"\x1b\[[^@A-Zb-~]*[a-z]|\x1b[Z\]P_]|\x05|[\x80-\x9f]", left)
    assert without_questions(left.encode()).decode() == left, "nothing comes together in the gap"


@pytest.mark.parametrize(
    "text",
    ["\x1b[31mred\x1b[0m", "\x1b[2J\x1b[H", "\x1b[?25l", "\x1b[1;20r", "\x1b(B", "\x1b7\x1b8", "é\r\n\t", "x\x1b[6"],
)
def test_text_without_queries_is_unchanged(text: str) -> None:
    assert without_questions(text.encode()) == text.encode()


def test_serial_console_works_with_pipes(cli: Inside) -> None:
    cli.ok("instance", "create", "web", *CREATE)
    result = cli.apart.ok("instance", "console", "web", stdin="from a pipe\n")
    assert "from a pipe\nfrom a pipe\nfake# " in result.out
    assert result.err == ""


def test_stopped_guest_ends_the_console_with_a_message(cli: Inside, terminals: list[Terminal]) -> None:
    cli.ok("instance", "create", "web", *CREATE)
    terminal = on_terminal(cli, "instance", "console", "web", LANG="fr_FR.UTF-8")
    terminals.append(terminal)
    terminal.wait_for("has booted.")
    cli.ok("instance", "power-off", "web")
    assert terminal.finish() == 1
    assert "L’invité ne tourne pas.".encode() in terminal.seen
    refused = cli("instance", "console", "web")
    assert refused.code == 1 and "The guest is not running" in refused.err


def test_vnc_viewers_connect_to_the_local_port(cli: Inside, terminals: list[Terminal]) -> None:
    cli.ok("instance", "create", "web", *CREATE)
    terminal = on_terminal(cli, "instance", "console", "web", "--kind", "vnc", "--listen", "127.0.0.1:0")
    terminals.append(terminal)
    terminal.wait_for("Ctrl-C ends it.")
    match = re.search(rb"127\.0\.0\.1:(\d+)", terminal.seen)
    assert match is not None
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", int(match[1])), timeout=PATIENCE_S) as viewer:
            words = viewer.makefile("rb")
            assert words.read(12) == b"RFB 003.008\n"
            viewer.sendall(b"RFB 003.008\n")
            assert words.read(2) == b"\x01\x01"
    terminal.type(CTRL_C)
    assert terminal.finish() == 0


def test_screen_listens_on_loopback_only() -> None:
    assert place_of("127.0.0.1:5901") == ("127.0.0.1", 5901)
    assert place_of("[::1]:0") == ("::1", 0)
    for text in ("0.0.0.0:5900", "192.0.2.1:5900", "5900", "localhost", "127.0.0.1:x", "127.0.0.1:70000"):
        with pytest.raises(Misuse):
            place_of(text)


def test_console_url_is_resolved() -> None:
    assert address("https://cloud.example", "/v1/consoles/x") == "wss://cloud.example/v1/consoles/x"
    assert address("http://127.0.0.1:8000", "/v1/consoles/x") == "ws://127.0.0.1:8000/v1/consoles/x"
    assert address("https://cloud.example", "wss://stream.example/v1/consoles/x").startswith("wss://stream.example/")
    for url in ("ws://stream.example/v1/consoles/x", "file:///etc/passwd"):
        with pytest.raises(Misuse):
            address("https://cloud.example", url)


def test_the_console_log_is_followed_until_ctrl_c(cli: Inside, live: Live, terminals: list[Terminal]) -> None:
    cli.ok("instance", "create", "web", *CREATE)
    assert cli.ok("instance", "console-log", "web", "--no-follow").out == "The fake guest has booted.\n"
    with proxy_to(live.url) as proxy:
        proxy.faults = [(200, {}, text) for text in (b"one\n", b"one\ntwo \x1b[2J\n")]
        terminal = on_terminal(cli, "--url", proxy.url, "instance", "console-log", "web")
        terminals.append(terminal)
        terminal.wait_for("Ctrl-C ends it.")
        terminal.wait_for("has booted.")  # which is what the API says after the two
        terminal.type(CTRL_C)
        assert terminal.finish() == 0
    text = terminal.seen.decode()
    assert text.count("one") == text.count("two") == 1
    assert "\x1b[2J" not in text


def test_events_are_followed_until_ctrl_c(cli: Inside, client: Client, live: Live, terminals: list[Terminal]) -> None:
    """The process `stream` serves them."""
    start = client.events.list(after="now").cursor
    words = ("--url", live.cloud.stack.stream_url, "event", "follow", "--after", start, "--kind", "network.*")
    terminal = on_terminal(cli, *words)
    terminals.append(terminal)
    for name in ("first", "second"):
        client.networks.create(name=name, cidr="10.72.0.0/24")
        terminal.wait_for(f"network.created  {name}")
        client.networks.delete(name)
    terminal.type(CTRL_C)
    assert terminal.finish() == 0


def test_typed_password_is_not_echoed(stranger: Inside, live: Live, terminals: list[Terminal]) -> None:
    terminal = on_terminal(stranger, "login", live.url, "--email", "nobody@example.org")
    terminals.append(terminal)
    terminal.wait_for("Password: ")
    terminal.type("four large blue windows\n")
    assert terminal.finish() == 7
    assert b"windows" not in terminal.seen


def test_empty_list_prints_the_create_command(cli: Inside, terminals: list[Terminal]) -> None:
    terminal = on_terminal(cli, "volume", "list")
    terminals.append(terminal)
    terminal.wait_for("Create the first with: andromede volume create")
    assert terminal.finish() == 0


def test_followed_log_prints_only_new_text() -> None:
    assert added("", "abc") == "abc"
    assert added("abc", "abcdef") == "def"
    assert added("abc", "abc") == ""
    assert added("0123456789" * 500, ("0123456789" * 500 + "new")[-4000:]) == "new"
    assert added("of the boot before", "a new boot") == "a new boot"


def test_control_characters_are_replaced() -> None:
    assert harmless("a\x1b[2Jb\x9b31mc\u202ed\te\nf") == "a\ufffd[2Jb\ufffd31mc\ufffdd\te\nf"
