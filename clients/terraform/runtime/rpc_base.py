"""Shared parts of all calls: lookup by name, and conversion of exceptions to diagnostics."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from clients.terraform.runtime.diagnostics import DiagnosticReport, Failure
from clients.terraform.runtime.provider import Private, Provider, Resource
from clients.terraform.runtime.schema import Schema

log = logging.getLogger("terraform.provider")


@contextmanager
def reporting_failures(report: DiagnosticReport) -> Iterator[None]:
    """Report every failure to the user; the process goes on."""
    try:
        yield
    except Failure as failure:
        report.diagnostics += failure.diagnostics
    except Exception as error:
        log.exception("defect in the provider")
        report.error("The provider failed", f"{type(error).__name__}: {error}\n\nThis is a defect in the provider.")


def read_private(data: bytes) -> Private:
    private: Private = json.loads(data) if data else {}
    return private


def write_private(private: Private) -> bytes:
    return json.dumps(private).encode() if private else b""


class RpcBase:
    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        full = provider.full_name
        self.resources = {full(item.name): item for item in provider.resources}
        self.listed = {name: item for name, item in self.resources.items() if item.is_listed}
        self.data_sources = {full(item.name): item for item in provider.data_sources}
        self.actions = {full(item.name): item for item in provider.actions}
        self.ephemeral = {full(item.name): item for item in provider.ephemeral_resources}
        self.functions = {item.name: item for item in provider.functions}
        self.schemas = {name: complete(item) for name, item in self.resources.items()}

    def schema_of(self, resource: Resource) -> Schema:
        return self.schemas[self.provider.full_name(resource.name)]


def complete(resource: Resource) -> Schema:
    """Return the schema with the attribute that every resource has."""
    return resource.schema.with_attribute("timeouts", resource.timeouts.attribute())
