"""The reference page of the catalogue is complete, and its example is a valid catalogue."""

import json
import re
from typing import Any

import pytest
from django.conf import settings

from andromede_core.facts.attributes import ABOUT
from andromede_core.facts.statements import FIELDS
from controlplane.catalog.models import Fact
from tests.facts import import_sample

PAGE = settings.BASE_DIR / "docs" / "reference" / "catalogue.md"


def example() -> Any:
    return json.loads(PAGE.read_text().partition("```json\n")[2].partition("```")[0])


def test_reference_names_every_attribute_and_field() -> None:
    words = set(re.findall(r"`([^`\n]+)`", PAGE.read_text()))
    attributes = {name for about in ABOUT.values() for name in about}
    assert {name for name in attributes if not re.fullmatch(r"seal\.SOV-[2-7]", name)} <= words
    assert set(FIELDS) <= words


@pytest.mark.django_db
def test_example_of_the_reference_is_importable() -> None:
    assert import_sample(example()).stated == Fact.objects.count() == 10
    assert import_sample(example()).stated == 0
