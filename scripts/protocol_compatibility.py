"""Check that control planes and agents of all kinds, of the last release, understand the current protocols.

Every part of the files scripts/released_….json must exist, under its number, with its type. `--publish` writes these
files anew, with every release. docs/how-to/change-the-agent-protocol.md explains changes of the protocols.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

from agents.protocol import agent_pb2, announcer_pb2, storage_pb2

HERE = Path(__file__).parent
# Of a field, besides its name: what the other side reads its bytes by, or knows it by.
FIELD = ("type", "type_name", "label", "proto3_optional")
METHOD = ("input_type", "output_type", "client_streaming", "server_streaming")


@dataclass(frozen=True)
class Protocol:
    """A protocol between two programs. `released`: the copy of the last release."""

    source: str
    descriptor: FileDescriptor
    released: Path


AGENT = Protocol("agents/protocol/agent.proto", agent_pb2.DESCRIPTOR, HERE / "released_protocol.json")
ANNOUNCER = Protocol(
    "agents/protocol/announcer.proto", announcer_pb2.DESCRIPTOR, HERE / "released_announcer_protocol.json"
)
STORAGE = Protocol("agents/protocol/storage.proto", storage_pb2.DESCRIPTOR, HERE / "released_storage_protocol.json")
PROTOCOLS = (AGENT, ANNOUNCER, STORAGE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publish", action="store_true", help="record the current protocols as released")
    if parser.parse_args().publish:
        for protocol in PROTOCOLS:
            protocol.released.write_text(json.dumps(json_format.MessageToDict(present(protocol)), indent=1) + "\n")
        return 0
    breaks = all_broken(PROTOCOLS)
    for line in breaks:
        print(line)
    return 1 if breaks else 0


def all_broken(protocols: Iterable[Protocol]) -> list[str]:
    """Return what programs of the last release miss or misread, a line each with its source."""
    return [f"{each.source}: {line}" for each in protocols for line in broken(released(each), present(each))]


def released(protocol: Protocol = AGENT) -> FileDescriptorProto:
    return json_format.ParseDict(json.loads(protocol.released.read_text()), FileDescriptorProto())


def present(protocol: Protocol = AGENT) -> FileDescriptorProto:
    file = FileDescriptorProto()
    protocol.descriptor.CopyToProto(file)
    return file


def broken(old: FileDescriptorProto, new: FileDescriptorProto) -> Iterator[str]:
    """Return what a program with the old protocol misses or misreads in the new one, a line each."""
    if old.package != new.package:
        yield f"the package {old.package} is {new.package}"
    yield from _messages(old.message_type, new.message_type)
    yield from _enums(old.enum_type, new.enum_type)
    services = _named(new.service)
    for service in old.service:
        if service.name not in services:
            yield f"the service {service.name} is gone"
        else:
            yield from _calls(service, services[service.name])


def _messages(old: Any, new: Any, within: str = "") -> Iterator[str]:
    there = _named(new)
    for message in old:
        path = f"{within}{message.name}"
        if message.name not in there:
            yield f"the message {path} is gone"
            continue
        present = there[message.name]
        yield from _fields(path, message, present)
        yield from _messages(message.nested_type, present.nested_type, f"{path}.")
        yield from _enums(message.enum_type, present.enum_type, f"{path}.")


def _fields(message: str, old: DescriptorProto, new: DescriptorProto) -> Iterator[str]:
    there = {field.number: field for field in new.field}
    for field in old.field:
        what = f"the field {field.number} of {message}, {field.name},"
        if field.number in there:
            yield from (f"{what} {each}" for each in _changes(field, old, there[field.number], new))
        elif not any(span.start <= field.number < span.end for span in new.reserved_range):
            yield f"{what} is gone, and its number is not reserved"


def _changes(
    old: FieldDescriptorProto, old_in: DescriptorProto, new: FieldDescriptorProto, new_in: DescriptorProto
) -> Iterator[str]:
    if new.name != old.name:
        yield f"is named {new.name}"
    yield from (f"has another {name}" for name in FIELD if getattr(old, name) != getattr(new, name))
    if _oneof(old, old_in) != _oneof(new, new_in):
        yield "is in another oneof"


def _oneof(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    return message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""


def _enums(old: Any, new: Any, within: str = "") -> Iterator[str]:
    there: Mapping[str, EnumDescriptorProto] = _named(new)
    for enum in old:
        values = {value.name: value.number for value in there[enum.name].value} if enum.name in there else {}
        for value in enum.value:
            if values.get(value.name) != value.number:
                yield f"the value {value.name} of {within}{enum.name} is not {value.number} any more"


def _calls(old: ServiceDescriptorProto, new: ServiceDescriptorProto) -> Iterator[str]:
    there = _named(new.method)
    for method in old.method:
        if method.name not in there:
            yield f"the call {method.name} is gone"
            continue
        differing = [name for name in METHOD if getattr(method, name) != getattr(there[method.name], name)]
        yield from (f"the call {method.name} has another {name}" for name in differing)


def _named(entries: Any) -> dict[str, Any]:
    return {thing.name: thing for thing in entries}


if __name__ == "__main__":
    sys.exit(main())
