"""One text per JSON value, and strict reading of JSON and of moments."""

import hashlib
import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andromede_core.documents.canonical import digest, dumps, loads
from andromede_core.documents.parsing import as_rfc3339, decoded, instant

# RFC 8785, 3.2.3 and appendix B; numbers without an exponent only
WRITTEN: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "true"),
    ([], "[]"),
    ({}, "{}"),
    ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
    ({"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew", "1": "One", "\U0001f600": "Emoji", "\u0080": "Control", "\u00f6": "O"},  # noqa: E501
     '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"O","\u20ac":"Euro Sign","\U0001f600":"Emoji","\ufb33":"Hebrew"}'),  # noqa: E501
    ("\u20ac$\u000f\nA'B\"\\\\\"/", '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
    ("\b\f\t\x7f", '"\\b\\f\\t\x7f"'),
    (0, "0"),
    (-0.0, "0"),
    (1.0, "1"),
    (4.5, "4.5"),
    (-77.49, "-77.49"),
    (2**53 - 1, "9007199254740991"),
    (0.002, "0.002"),
    (1e14, "100000000000000"),
    ((1, 2), "[1,2]"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_a_value_has_one_text(value: Any, text: str) -> None:
    assert dumps(value) == text.encode()
    assert digest(value) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "value",
    [2**53, -(2**53), math.inf, -math.inf, math.nan, 1e15, -1e15, 1e-5, "\ud800", {1: 2}, {None: 1}, b"x", object()],
)  # fmt: skip
def test_value_without_a_canonical_text_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        dumps(value)
    with pytest.raises(ValueError):
        dumps([{"a": value}])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nul",
        b'{"a":1} ',
        b'{ "a":1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b"1.0",
        b"1e2",
        b"01",
        b"-0",
        b"NaN",
        b"Infinity",
        b'"\\u0041"',
        b'"\\/"',
        b'"\xff"',
        '"é"'.encode("latin-1"),
        '"a"'.encode("utf-16"),
        b"\xef\xbb\xbf1",
        b"9007199254740992",
        b"[" * 200_000,
        b"[" * 200_000 + b"]" * 200_000,
        b"1" * 5000,
    ],
)
def test_any_other_text_than_the_canonical_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        loads(text)


numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.sampled_from([0.5, -1.25, 48.86, 1e14])
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@given(json_values)
def test_canonical_json_survives_a_round_trip(value: Any) -> None:
    text = dumps(value)
    assert loads(text) == value == json.loads(text)
    assert dumps(loads(text)) == text


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 3), min_size=2), st.randoms())
def test_the_order_of_keys_changes_nothing(value: dict[str, int], random: Any) -> None:
    items = list(value.items())
    random.shuffle(items)
    try:
        assert dumps(dict(items)) == dumps(value)
    except UnicodeEncodeError:
        assert any("\ud800" <= letter <= "\udfff" for key in value for letter in key)


@pytest.mark.parametrize(
    "text", [b'{"a":1,"a":2}', b'{"x":{"a":1,"b":2,"a":1}}', b"NaN", b"[1,Infinity]", b"-Infinity"]
)
def test_ambiguous_json_is_not_read(text: bytes) -> None:
    with pytest.raises(ValueError):
        decoded(text)


def test_json_is_read_in_any_layout() -> None:
    assert decoded(b' {"b": [1.50, "\\u00e9"],\n"a": {}} ') == {"b": [1.5, "é"], "a": {}}


MIDNIGHT = datetime(2027, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-31T00:00:00Z", MIDNIGHT),
        ("2027-01-31t00:00:00z", MIDNIGHT),
        ("2027-01-31 00:00:00Z", MIDNIGHT),
        ("2027-01-31T00:00:00+00:00", MIDNIGHT),
        ("2027-01-31T01:30:00+01:30", MIDNIGHT),
        ("2027-01-30T19:00:00-05:00", MIDNIGHT),
        ("2027-01-31T00:00:00.5Z", MIDNIGHT + timedelta(seconds=0.5)),
        ("2027-01-31T00:00:00.000001Z", MIDNIGHT + timedelta(microseconds=1)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2027-01-31", None),
        ("2027-01-31T00:00:00", None),
        ("2027-01-31T00:00Z", None),
        ("20270131T000000Z", None),
        ("2027-W04-7T00:00:00Z", None),
        ("2027-02-30T00:00:00Z", None),
        ("2027-01-31T24:00:00Z", None),
        ("2027-01-31T23:59:60Z", None),
        ("2027-01-31T00:00:00+01", None),
        ("2027-01-31T00:00:00+0100", None),
        ("2027-01-31T00:00:00 Z", None),
        ("2027-01-31T00:00:00Z\n", None),
        ("２０２７-01-31T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("31 janvier 2027 00:00:00", None),
        (20270131, None),
        (None, None),
        (["2027-01-31T00:00:00Z"], None),
    ],
)
def test_time_needs_a_time_zone(text: object, expected: datetime | None) -> None:
    moment = instant(text)
    assert moment == expected
    assert moment is None or moment.tzinfo is UTC


def test_times_are_written_in_one_form() -> None:
    assert as_rfc3339(MIDNIGHT) == "2027-01-31T00:00:00Z"
    assert as_rfc3339(MIDNIGHT.astimezone(timezone(timedelta(hours=2)))) == "2027-01-31T00:00:00Z"
    assert as_rfc3339(MIDNIGHT + timedelta(microseconds=1)) == "2027-01-31T00:00:00.000001Z"
