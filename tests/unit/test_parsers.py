"""Bodies that are within the limit of bytes, and would be much work."""

import io
import json
from itertools import cycle, islice
from typing import Any

import pytest

from controlplane.api.errors import BodyMalformed
from controlplane.api.parsers import BODY_MAX_BYTES, MEMBERS_MAX, VALUES_MAX, StrictJSONParser
from tests.call_counts import count_calls


def parse(raw: bytes) -> Any:
    return StrictJSONParser().parse(io.BytesIO(raw))


def refusal(raw: bytes) -> tuple[str | None, str]:
    with pytest.raises(BodyMalformed) as caught:
        parse(raw)
    return caught.value.field, str(caught.value)


def listed(*items: bytes) -> bytes:
    """A list that is as long as a body may be, of these again and again."""
    count = (BODY_MAX_BYTES - 2) * len(items) // (sum(map(len, items)) + len(items))
    return b"[" + b",".join(islice(cycle(items), count)) + b"]"


def members(count: int) -> bytes:
    return b",".join(b'"%x":0' % number for number in range(count))


WORST = {
    "members, the last one twice": b"{" + members(100_000) + b',"0":1}',
    "objects": listed(b"{}"),
    "objects with a member": listed(b'{"a":0}'),
    "objects with many members": listed(b"{" + members(900) + b"}"),
    "lists": listed(b"[]"),
    "deep lists": listed(b"[" * 14 + b"]" * 14),
    "numbers": listed(b"0"),
    "fractions": listed(b"1e1"),
    "texts": listed(b'""'),
    "brackets in texts, then lists": b'["' + b"[" * 500_000 + b'"' + b",[]" * 150_000 + b"]",
}


@pytest.mark.parametrize("raw", WORST.values(), ids=WORST)
def test_parsing_work_has_a_maximum(raw: bytes) -> None:
    assert len(raw) <= BODY_MAX_BYTES
    assert count_calls(lambda: refusal(raw)) < 8 * VALUES_MAX
    assert refusal(raw) == (None, f"The body is not valid JSON: it has more than {VALUES_MAX} values.")


@pytest.mark.parametrize("raw", [b"[" * 60_000, b'{"a":' * 18_000, b"[" * 17 + b"]" * 17, b"[" * 900 + b"]" * 900])
def test_depth_has_a_maximum(raw: bytes) -> None:
    assert count_calls(lambda: refusal(raw)) < 8 * VALUES_MAX
    assert refusal(raw) == (None, "The body is not valid JSON: it is nested more than 16 levels deep.")


def test_members_of_one_object_have_a_maximum() -> None:
    assert len(parse(b"{" + members(MEMBERS_MAX) + b"}")) == MEMBERS_MAX
    assert refusal(b'{"labels":{' + members(MEMBERS_MAX + 1) + b',"0":1}}') == (
        "0",
        f"The body is not valid JSON: the object with the member '0' has more than {MEMBERS_MAX} members.",
    )


def test_maximum_number_of_values_is_accepted() -> None:
    assert parse(json.dumps([0] * VALUES_MAX).encode()) == [0] * VALUES_MAX
    nested = [{"name": "[,{" * 4, "of": {}}] * (VALUES_MAX // 3)
    assert parse(json.dumps(nested).encode()) == nested
    assert refusal(json.dumps([0] * (VALUES_MAX + 1)).encode())[1].endswith(f"more than {VALUES_MAX} values.")


@pytest.mark.parametrize("text", [",[{" * 150_000, '\\"' * 100_000, "\\", "\\\\\n" * 50_000])
def test_brackets_in_a_text_are_not_counted(text: str) -> None:
    assert parse(json.dumps({"user_data": text}).encode()) == {"user_data": text}


def test_repeated_last_member_is_named() -> None:
    raw = b"{" + members(MEMBERS_MAX - 1) + b',"7/~": 0}'
    assert len(parse(raw)) == MEMBERS_MAX
    assert refusal(raw.replace(b'"0":0', b'"7/~":0')) == (
        "7~1~0",
        "The body is not valid JSON: the member '7/~' is repeated.",
    )


def test_forbidden_character_is_named_with_its_pointer() -> None:
    assert refusal(b'{"a/b": [0, {"c": "x\\u0000"}]}')[0] == "a~1b/1/c"
