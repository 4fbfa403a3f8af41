"""instance tunnel, ssh and ssh-config. The fake guest echoes at each TCP port."""

import os
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from andromede_sdk import Client
from scripts.polling import wait_until
from tests.clients.cli import Inside, Terminal, on_terminal, signed_in
from tests.clients.conftest import Live
from tests.limits import PATIENCE_S

pytestmark = pytest.mark.slow

CREATE = ("--flavor", "tiny", "--image", "tiny", "--network", "lan")
CTRL_C = "\x03"
INTERRUPTED_ELSEWHERE = """
import os, signal, sys, threading
from andromede_cli import consoles

def interrupt():
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    os.kill(os.getpid(), signal.SIGINT)

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
consoles.serve(None, ("127.0.0.1", 0), lambda host, port: threading.Timer(0.1, interrupt).start(), carry=None)
"""


@pytest.fixture
def cli(commands: Path, tmp_path: Path, live: Live, client: Client) -> Inside:
    return signed_in(commands / "andromede", tmp_path, live)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for each in opened:
        each.close()


@pytest.fixture
def fake_ssh(tmp_path: Path) -> tuple[str, Path]:
    """Return a PATH whose ssh only records its arguments, and the record."""
    folder, log = tmp_path / "bin", tmp_path / "ssh.log"
    folder.mkdir()
    program = folder / "ssh"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > '{log}'\n")
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}", log


def options_of(log: Path) -> dict[str, str]:
    words = log.read_text().splitlines()
    return dict(value.split("=", 1) for option, value in zip(words, words[1:], strict=False) if option == "-o")


def test_standard_streams_are_carried_to_their_end(cli: Inside) -> None:
    cli.ok("instance", "create", "web", *CREATE)
    text = "all of it\n" * 20_000
    assert cli.apart.ok("instance", "tunnel", "web", "--stdio", stdin=text).out == text


def test_several_connections_share_a_listening_command(cli: Inside, terminals: list[Terminal]) -> None:
    cli.ok("instance", "create", "web", *CREATE)
    terminal = on_terminal(cli, "instance", "tunnel", "web", "--port", "80", "--listen", "127.0.0.1:0")
    terminals.append(terminal)
    terminal.wait_for("Ctrl-C ends it.")
    match = re.search(rb"127\.0\.0\.1:(\d+)", terminal.seen)
    assert match is not None
    place = ("127.0.0.1", int(match[1]))
    with socket.create_connection(place, timeout=PATIENCE_S) as first, socket.create_connection(place) as second:
        second.settimeout(PATIENCE_S)
        for client, text in ((first, b"first"), (second, b"second")):
            client.sendall(text)
            client.shutdown(socket.SHUT_WR)
            with client.makefile("rb") as answer:
                assert answer.read() == text
    terminal.type(CTRL_C)
    assert terminal.finish() == 0


def test_interrupt_that_does_not_wake_the_listening_command_ends_it(commands: Path) -> None:
    subprocess.run([commands / "python", "-c", INTERRUPTED_ELSEWHERE], timeout=PATIENCE_S, check=True)


def test_program_that_hangs_up_ends_its_tunnel_alone(cli: Inside, terminals: list[Terminal]) -> None:
    cli.ok("instance", "create", "web", *CREATE)
    terminal = on_terminal(cli, "instance", "tunnel", "web", "--listen", "127.0.0.1:0")
    terminals.append(terminal)
    terminal.wait_for("Ctrl-C ends it.")
    match = re.search(rb"127\.0\.0\.1:(\d+)", terminal.seen)
    assert match is not None
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", int(match[1])), timeout=PATIENCE_S) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
    assert b"error" not in terminal.seen.lower()


def test_tunnel_that_cannot_open_gives_the_reason(cli: Inside) -> None:
    cli.ok("instance", "create", "web", *CREATE)
    assert cli("instance", "tunnel", "web").code == 2
    assert cli("instance", "tunnel", "web", "--stdio", "--listen", "127.0.0.1:0").code == 2
    assert cli("instance", "tunnel", "web", "--listen", "0.0.0.0:8080").code == 2
    assert cli("instance", "tunnel", "web", "--stdio", "--port", "0").code == 2
    unknown = cli("instance", "tunnel", "web", "--stdio", "--network", "nowhere")
    assert "There is no network" in unknown.err
    cli.ok("instance", "power-off", "web")
    refused = cli("instance", "tunnel", "web", "--listen", "127.0.0.1:0")
    assert refused.code == 1 and "The guest is not running" in refused.err


def test_ssh_connects_through_a_tunnel_without_a_shell_for_the_command(cli: Inside, fake_ssh: tuple[str, Path]) -> None:
    path, log = fake_ssh
    created = cli.ok("instance", "create", "web", *CREATE, "--label", "ssh-user=debian", "-o", "json").json
    cli.apart.ok("instance", "ssh", "web", "--", "echo", "$(id); rm -rf /", PATH=path)
    options, address = options_of(log), created["addresses"][0]["ip"]
    assert log.read_text().splitlines()[-4:] == ["--", address, "echo", "$(id); rm -rf /"]
    assert (options["HostKeyAlias"], options["User"]) == (f"andromede-{created['id']}", "debian")
    assert options["StrictHostKeyChecking"] == "accept-new"
    assert options["UserKnownHostsFile"] == str(cli.home / "config" / "andromede" / "known_hosts" / "default")
    proxy = ["sh", "-c", "exec " + options["ProxyCommand"].replace("%%", "%")]  # as ssh does
    echoed = subprocess.run(
        proxy, input=b"SSH-2.0-x", env=cli.environment(), capture_output=True, timeout=PATIENCE_S, check=True
    )
    assert echoed.stdout == b"SSH-2.0-x"


def test_ssh_goes_by_a_jump_host_if_one_is_named(cli: Inside, fake_ssh: tuple[str, Path]) -> None:
    path, log = fake_ssh
    cli.ok("instance", "create", "web", *CREATE)
    cli.ok("instance", "ssh", "web", "-u", "root", "-J", "gate", "-i", "key", PATH=path)
    options = options_of(log)
    assert (options["ProxyJump"], options["User"]) == ("gate", "root")
    assert "ProxyCommand" not in options
    log.unlink()
    for user in ("-oProxyCommand=id", "a b", "x;id"):
        assert cli("instance", "ssh", "web", f"--user={user}", PATH=path).code == 2
    assert cli("instance", "ssh", "web", "--network", "other", PATH=path).code == 2
    assert not log.exists()


def test_exit_status_is_that_of_ssh(cli: Inside, fake_ssh: tuple[str, Path]) -> None:
    path, log = fake_ssh
    cli.ok("instance", "create", "web", *CREATE)
    ssh = log.with_name("bin") / "ssh"
    for status in (3, 255):
        ssh.write_text(f"#!/bin/sh\nexit {status}\n")
        ended = cli("instance", "ssh", "web", PATH=path)
        assert (ended.code, ended.err) == (status, "")


def test_configuration_is_understood_by_ssh(cli: Inside, tmp_path: Path) -> None:
    created = cli.ok("instance", "create", "web", *CREATE, "-o", "json").json
    printed = cli.ok("instance", "ssh-config", "web", "--user", "debian", "--port", "2222", "-i", "a key").out
    file = tmp_path / "ssh config"
    file.write_text(printed)
    read = subprocess.run(["ssh", "-F", str(file), "-G", "web"], capture_output=True, text=True, check=True).stdout
    options = dict(line.split(" ", 1) for line in read.splitlines() if " " in line)
    assert (options["user"], options["hostkeyalias"]) == ("debian", f"andromede-{created['id']}")
    assert options["identityfile"] == "a key"
    words = shlex.split(options["proxycommand"])
    assert words[words.index("instance") :] == [
        *("instance", "tunnel", created["id"], "--stdio", "--port", "2222"),
        *("--project", "demo"),
    ]


def test_host_keys_of_profiles_are_apart(cli: Inside) -> None:
    cli.ok("instance", "create", "web", *CREATE)
    text = (cli.home / "config" / "andromede").as_posix()
    printed = cli.ok("instance", "ssh-config", "web").out
    assert f"UserKnownHostsFile {text}/known_hosts/default" in printed


@pytest.fixture
def operator(commands: Path, tmp_path: Path, live: Live) -> Inside:
    return signed_in(commands / "andromede", tmp_path, live, token=live.operator)


@pytest.fixture
def address(cli: Inside, operator: Inside) -> Iterator[str]:
    """Return the name of a public address, which no port has."""
    operator.ok("address-pool", "create", "outside", "--zone", "fr-idf-1", "--cidr", "198.51.100.0/28")
    cli.ok("public-address", "create", "--pool", "outside", "--name", "www", "--address", "198.51.100.7")
    yield "www"
    cli("public-address", "detach", "www", "--yes")
    cli.ok("public-address", "delete", "www", "--yes")
    operator.ok("address-pool", "delete", "outside", "--yes")


def test_ssh_goes_by_the_public_address_that_is_applied(cli: Inside, fake_ssh: tuple[str, Path], address: str) -> None:
    path, log = fake_ssh
    created = cli.ok("instance", "create", "web", *CREATE, "--zone", "fr-idf-1", "-o", "json").json
    assert cli.ok("instance", "show", "web", "-o", "json").json["public_addresses"] == []
    cli.ok("instance", "ssh", "web", PATH=path)
    assert "ProxyCommand" in options_of(log)
    refused = cli("instance", "ssh", "web", "--public", PATH=path)
    assert refused.code == 2 and "andromede public-address list --instance web" in refused.err
    cli.ok("public-address", "attach", address, "--instance", "web")
    seen = ("public-address", "show", address, "-o", "json")
    wait_until(lambda: cli.ok(*seen).json["state"] == "applied", limit_s=PATIENCE_S)
    (shown,) = cli.ok("instance", "show", "web", "-o", "json").json["public_addresses"]
    assert (shown["name"], shown["ip"], shown["state"]) == ("www", "198.51.100.7", "applied")
    for words in ((), ("--public",), ("--network", "lan")):
        cli.ok("instance", "ssh", "web", "--port", "2222", *words, "--", "id", PATH=path)
        options = options_of(log)
        assert log.read_text().splitlines()[-3:] == ["--", "198.51.100.7", "id"]
        assert (options["Port"], options["StrictHostKeyChecking"]) == ("2222", "ask")
        assert options["HostKeyAlias"] == f"andromede-{created['id']}" and "ProxyCommand" not in options
    cli.ok("instance", "ssh", "web", "--relay", PATH=path)
    assert "ProxyCommand" in options_of(log) and options_of(log)["StrictHostKeyChecking"] == "accept-new"
    assert cli("instance", "ssh", "web", "--relay", "--public", PATH=path).code == 2
    assert "HostName 198.51.100.7\n" in cli.ok("instance", "ssh-config", "web").out
    assert "ProxyCommand" in cli.ok("instance", "ssh-config", "web", "--relay").out
    (log.with_name("bin") / "ssh").write_text("#!/bin/sh\nexit 255\n")
    assert "--relay" in cli("instance", "ssh", "web", PATH=path).err
