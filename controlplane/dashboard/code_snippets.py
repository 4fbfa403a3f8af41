"""A form's request as lines to copy, for curl, the CLI and Terraform. The token is never included."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

USER_DATA_FILE = "user-data.txt"
# By kind of resource: options of `andromede KIND create`, by the API's field names.
OPTIONS = {
    "instance": {
        "flavor": "--flavor",
        "image": "--image",
        "networks": "--network",
        "ports": "--port",
        "ssh_keys": "--ssh-key",
        "volumes": "--volume",
        "boot_volume": "--boot-volume",
        "zones": "--zone",
        "security_groups": "--security-group",
        "affinity_group": "--affinity-group",
        "restart_policy": "--restart-policy",
        "metadata": "--metadata",
        "root_volume_type": "--root-type",
        "classifications": "--classification",
        "labels": "--label",
    },
    "volume": {
        "size_gib": "--size",
        "volume_type": "--type",
        "image": "--image",
        "snapshot": "--snapshot",
        "zones": "--zone",
        "near_instance": "--near",
        "classifications": "--classification",
        "labels": "--label",
    },
}
ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True)
class CreateSnippets:
    """A resource to create: its kind (instance), the API's URL, the project and the request's body."""

    kind: str
    url: str
    project: str
    body: Mapping[str, Any]

    def lines(self) -> list[tuple[str, str, str]]:
        """Return for each tool its id on the page, its name and the text."""
        return [("curl", "curl", self.curl()), ("cli", "CLI", self.cli()), ("hcl", "Terraform", self.hcl())]

    def curl(self) -> str:
        document = json.dumps(self.body, indent=2, ensure_ascii=False)
        return (
            f"curl -X POST {shlex.quote(f'{self.url}/v1/projects/{self.project}/{self.kind}s')} \\\n"
            '  -H "Authorization: Bearer $TOKEN" \\\n'
            "  -H 'Content-Type: application/json' \\\n"
            f"  -d {shlex.quote(document)}"
        )

    def cli(self) -> str:
        words = ["andromede", "--project", self.project, self.kind, "create", self.body.get("name", "")]
        line = " ".join(map(shlex.quote, words))
        return " \\\n  ".join([line, *self._options()])

    def _options(self) -> list[str]:
        options = []
        for name, option in OPTIONS[self.kind].items():
            value = self.body.get(name)
            if isinstance(value, Mapping):
                value = [f"{key}={text}" for key, text in value.items()]
            for each in value if isinstance(value, list) else [value]:
                if each not in (None, ""):
                    options.append(f"{option} {shlex.quote(str(each))}")
        if self.body.get("user_data"):
            options.append(f"--user-data {USER_DATA_FILE}")
        if self.body.get("keep_root_volume"):
            options.append("--keep-root-volume")
        if self.body.get("start") is False:
            options.append("--no-start")
        return options

    def hcl(self) -> str:
        address = re.sub(r"[^A-Za-z0-9_-]", "_", self.body.get("name", "")) or "this"
        address = address if re.match(r"[A-Za-z_]", address) else f"_{address}"
        values = {"project": self.project, **self.body}
        if "user_data" in values:
            values |= {"user_data_wo": values.pop("user_data"), "user_data_wo_version": 1}
        if "start" in values:
            values["is_running"] = values.pop("start")
        width = max(map(len, values))
        inside = "\n".join(f"  {name:<{width}} = {_hcl(value)}" for name, value in values.items())
        return f'resource "andromede_{self.kind}" "{address}" {{\n{inside}\n}}'


def _hcl(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_hcl(key)} = {_hcl(text)}" for key, text in value.items())
        return f"{{ {pairs} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_hcl, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else f'"{"".join(map(_escaped, _literal(value)))}"'


def _literal(text: str) -> str:
    """Return the text as an HCL literal, without interpolation."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _escaped(letter: str) -> str:
    return ESCAPES.get(letter) or (letter if letter.isprintable() else f"\\U{ord(letter):08x}")
