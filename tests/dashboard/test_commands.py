"""The lines to copy are what the real tools take."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from andromede_cli.app import program
from clients.terraform.resources.instance_schema import SCHEMA as INSTANCE_SCHEMA
from clients.terraform.resources.volume import VolumeResource
from controlplane.dashboard.code_snippets import CreateSnippets

NASTY = 'it\'s "so" $HOME `id` ${x} %{y} \\ \n\té'
BODIES: dict[str, dict[str, Any]] = {
    "instance": {
        "name": "web-1",
        "flavor": "tiny",
        "image": "debian 13",
        "networks": ["lan", "backend"],
        "ssh_keys": ["laptop"],
        "volumes": ["data"],
        "zones": ["fr-idf-1"],
        "affinity_group": "replicas",
        "classifications": ["hds"],
        "labels": {"env": "prod; rm -rf /", "note": "it's"},
        "user_data": NASTY,
        "start": False,
    },
    "volume": {
        "name": "1-data",
        "size_gib": 10,
        "volume_type": "local",
        "near_instance": "web-1",
        "image": "debian",
        "zones": ["fr-idf-1"],
        "classifications": ["hds"],
        "labels": {"env": "prod"},
    },
}
SCHEMAS = {"instance": INSTANCE_SCHEMA, "volume": VolumeResource.schema}


def making(kind: str) -> CreateSnippets:
    return CreateSnippets(kind, "https://cloud.example", "alpha", BODIES[kind])


def parsed(words: list[str]) -> dict[str, Any]:
    """Parse a line with the CLI's own parser."""
    command = program()
    result: dict[str, Any] = {}
    context = command.make_context(words[0], words[1:])
    while True:
        result |= {name: value for name, value in context.params.items() if value not in (None, (), [])}
        if not hasattr(command, "resolve_command"):
            return result
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("kind", BODIES)
def test_cli_accepts_the_shown_command(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user-data.txt").touch()
    arguments = parsed(shlex.split(making(kind).cli().replace("\\\n", " ")))
    body = BODIES[kind]
    names = {
        "networks": "network",
        "ssh_keys": "ssh_key",
        "volumes": "volume",
        "zones": "zone",
        "classifications": "classification",
        "labels": "label",
        "size_gib": "size",
        "volume_type": "type",
        "near_instance": "near",
    }
    for name, value in body.items():
        got = arguments.get(names.get(name, name))
        if isinstance(value, dict):
            assert list(got or []) == [f"{key}={text}" for key, text in value.items()]
        elif name == "user_data":
            assert str(got) == "user-data.txt"
        else:
            assert (list(got) if isinstance(value, list) else got) == value, name
    assert arguments["project"] == "alpha"


@pytest.mark.parametrize("kind", BODIES)
def test_shell_passes_the_body_to_curl_unchanged(kind: str) -> None:
    line = making(kind).curl().removeprefix("curl ")
    script = f"printf '%s\\0' {line}"
    command = ["bash", "-c", script]
    words = subprocess.run(command, capture_output=True, check=True, env={"TOKEN": "t"}).stdout.decode().split("\0")
    assert f"https://cloud.example/v1/projects/alpha/{kind}s" in words
    assert "Authorization: Bearer t" in words
    assert json.loads(words[words.index("-d") + 1]) == BODIES[kind]


@pytest.mark.parametrize("kind", BODIES)
def test_provider_knows_the_attributes_of_the_hcl(kind: str) -> None:
    text = making(kind).hcl()
    names = re.findall(r"^  (\w+) += ", text, re.MULTILINE)
    assert set(names) <= SCHEMAS[kind].attributes.keys()
    needed = {name for name, each in SCHEMAS[kind].attributes.items() if each.required}
    assert needed <= set(names)
    address = text.splitlines()[0]
    assert re.fullmatch(rf'resource "andromede_{kind}" "[A-Za-z_][A-Za-z0-9_-]*" {{', address)


def test_hcl_escapes_special_characters() -> None:
    text = making("instance").hcl()
    assert r'''"it's \"so\" $HOME `id` $${x} %%{y} \\ \n\té"''' in text
    assert "user_data_wo_version" in text
    assert "is_running           = false\n" in text
    assert "  user_data " not in text
