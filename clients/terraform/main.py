"""The provider: its configuration and its process."""

import os
import sys
from typing import Any
from urllib.parse import urlsplit

from clients.terraform import resources
from clients.terraform.cloud import Cloud
from clients.terraform.runtime.diagnostics import DiagnosticReport
from clients.terraform.runtime.provider import Provider
from clients.terraform.runtime.schema import STRING, Attribute, Schema
from clients.terraform.runtime.server import serve
from clients.terraform.runtime.values import UNKNOWN, Values

VERSION = "0.1.0"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class AndromedeProvider(Provider):
    name = "andromede"
    source = "registry.terraform.io/andromede/andromede"
    schema = Schema(
        {
            "url": Attribute(
                type=STRING,
                description="Where the API is: `https://andromede.example.org`. `ANDROMEDE_URL` when not given.",
                optional=True,
                checks=(lambda url: None if url.startswith(("https://", "http://")) else "It begins with https://.",),
            ),
            "token": Attribute(
                type=STRING,
                description="A token for the API. `ANDROMEDE_TOKEN` when not given, which keeps it out of files.",
                optional=True,
                sensitive=True,
            ),
            "project": Attribute(
                type=STRING,
                description="The id or name of the project of resources that name none. `ANDROMEDE_PROJECT` when not "
                "given, and else the only one that the token is for.",
                optional=True,
            ),
            "ca_file": Attribute(
                type=STRING,
                description="A file with the certificates (PEM) that the API's is signed by, for a private authority. "
                "`ANDROMEDE_CA_FILE` when not given.",
                optional=True,
            ),
        },
        "Resources of an Andromède cloud.",
    )

    def __init__(self) -> None:
        super().__init__()
        self.cloud = Cloud(self.stopping)
        self.resources = resources.resources(self.cloud)
        self.data_sources = resources.all_data_sources(self.cloud)
        self.actions = resources.actions(self.cloud)
        self.ephemeral_resources = resources.ephemeral_resources(self.cloud)

    def configure(self, config: Values, report: DiagnosticReport) -> None:
        given = {name: _given(config.get(name), name) for name in self.schema.attributes}
        if UNKNOWN in given.values():
            return
        for name in ("url", "token"):
            if not given[name]:
                text = f"Set {name} in the provider block, or ANDROMEDE_{name.upper()} in the environment."
                report.error(f"The provider has no {name}", text, path=(name,))
        if report.has_errors:
            return
        address = urlsplit(given["url"])
        if address.scheme == "http" and address.hostname not in LOOPBACK:
            report.warn("The token goes over the network in clear", "Use https.", path=("url",))
        try:
            self.cloud.connect(given["url"], given["token"], project=given["project"], ca_file=given["ca_file"])
        except OSError as error:
            report.error("The certificates cannot be read", f"{given['ca_file']}: {error}", path=("ca_file",))
        except ValueError as error:
            report.error("The provider cannot use its url or its token", str(error))


def _given(value: Any, name: str) -> Any:
    return os.environ.get(f"ANDROMEDE_{name.upper()}", "") if value is None else value


def main() -> int:
    return serve(AndromedeProvider())


if __name__ == "__main__":
    sys.exit(main())
