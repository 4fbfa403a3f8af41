"""Breaking and compatible changes of the protocols for the last release, rule by rule."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from scripts.protocol_compatibility import ANNOUNCER, PROTOCOLS, Protocol, all_broken, broken, present, released


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda each: each.released.stem)
def test_protocol_is_compatible_with_the_last_release(protocol: Protocol) -> None:
    assert list(broken(released(protocol), present(protocol))) == []


def test_check_reports_a_breaking_change_of_each_protocol(tmp_path: Path) -> None:
    changed = []
    for each in PROTOCOLS:
        released_then = present(each)
        released_then.service[0].method.add(name="Lost")
        path = tmp_path / each.released.name
        path.write_text(json_format.MessageToJson(released_then))
        changed.append(replace(each, released=path))
    assert all_broken(changed) == [
        f"agents/protocol/{name}.proto: the call Lost is gone" for name in ("agent", "announcer", "storage")
    ]


def test_protocol_of_the_announcer_may_grow() -> None:
    new = present(ANNOUNCER)
    message(new, "AnnouncerState").field.add(name="more", number=90, type=FieldDescriptorProto.TYPE_BOOL)
    assert list(broken(present(ANNOUNCER), new)) == []
    del message(new, "AnnouncerState").field[0]
    assert list(broken(present(ANNOUNCER), new)) == [
        "the field 1 of AnnouncerState, version, is gone, and its number is not reserved"
    ]


def message(file: FileDescriptorProto, name: str = "Subject") -> DescriptorProto:
    return next(each for each in file.message_type if each.name == name)


def renumber(file: FileDescriptorProto) -> None:
    message(file).field[1].number = 9


def retype(file: FileDescriptorProto) -> None:
    message(file).field[1].type = FieldDescriptorProto.TYPE_STRING


def rename(file: FileDescriptorProto) -> None:
    message(file).field[1].name = "version"


def repeat(file: FileDescriptorProto) -> None:
    message(file).field[0].label = FieldDescriptorProto.LABEL_REPEATED


def drop_a_field(file: FileDescriptorProto) -> None:
    del message(file).field[1]


def drop_a_message(file: FileDescriptorProto) -> None:
    file.message_type.remove(message(file, "Removed"))


def move_out_of_its_oneof(file: FileDescriptorProto) -> None:
    message(file, "ImagePart").field[1].ClearField("oneof_index")


def renumber_a_value(file: FileDescriptorProto) -> None:
    file.enum_type[0].value[1].number = 7


def drop_a_call(file: FileDescriptorProto) -> None:
    del file.service[0].method[0]


def stream_a_call(file: FileDescriptorProto) -> None:
    file.service[0].method[0].server_streaming = True


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (renumber, "the field 2 of Subject, generation, is gone, and its number is not reserved"),
        (retype, "the field 2 of Subject, generation, has another type"),
        (rename, "the field 2 of Subject, generation, is named version"),
        (repeat, "the field 1 of Subject, id, has another label"),
        (drop_a_field, "the field 2 of Subject, generation, is gone, and its number is not reserved"),
        (drop_a_message, "the message Removed is gone"),
        (move_out_of_its_oneof, "the field 2 of ImagePart, data, is in another oneof"),
        (renumber_a_value, "the value IMAGE_FORMAT_QCOW2 of ImageFormat is not 1 any more"),
        (drop_a_call, "the call Describe is gone"),
        (stream_a_call, "the call Describe has another server_streaming"),
    ],
)
def test_breaking_change_is_reported(change: Callable[[FileDescriptorProto], None], complaint: str) -> None:
    new = present()
    change(new)
    assert list(broken(present(), new)) == [complaint]


def test_additions_and_reserved_removals_are_compatible() -> None:
    new = present()
    subject = message(new)
    del subject.field[1]
    subject.reserved_range.add(start=2, end=3)
    subject.field.add(name="more", number=9, type=FieldDescriptorProto.TYPE_BOOL)
    new.message_type.add(name="Another")
    new.service[0].method.add(name="EnsureAnother")
    assert list(broken(present(), new)) == []
