"""The check of names and docstrings against the glossary."""

import pytest

from scripts import vocabulary

GLOSSARY = """
## Terms

| again | not this one |

## Retired terms

| retired | use |
|---|---|
| again | retry |
| stray, ears | orphan |
| note (verb) | record |
| on nodes | node steps |
"""
RETIRED = {"again": "retry", "stray": "orphan", "ears": "orphan"}


def test_retired_single_words_are_read_from_the_table() -> None:
    assert vocabulary.retired_terms(GLOSSARY) == RETIRED


def test_retired_phrases_are_read_from_their_own_table() -> None:
    glossary = f"{GLOSSARY}\n## Retired phrases\n\n| phrase | write |\n|---|---|\n| in the way, takes away | blocks |\n"
    assert vocabulary.retired_phrases(glossary) == {"in the way": "blocks", "takes away": "blocks"}
    assert vocabulary.retired_terms(glossary) == RETIRED


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("A guest is in\nthe way.\n\nWhoever reads it.", [1, 4]),
        ("`in the way` is a column.\n```\nin the way\n```\n", []),
        ('msgid "In the way of {name}"\nmsgstr "in the way"\n"whoever"\n\nmsgid "whoever"\nmsgstr ""\n', [1, 5]),
    ],
)
def test_retired_phrase_in_a_text_fails_outside_code_and_translations(text: str, lines: list[int]) -> None:
    complaints = vocabulary.phrases_of("docs/a.md", text, {"in the way": "blocks", "whoever": "the user"})
    assert [int(each.split(":")[1]) for each in complaints] == lines


def test_retired_phrase_in_a_docstring_or_a_comment_fails() -> None:
    text = '"""A guest at an\nold road."""\n\ntext = "an old road"  # not an old road\n# An old road.\nNAME = 1\n'
    complaints = vocabulary.phrases_of("app/a.py", vocabulary.prose_of(text), {"an old road": "a tunnel"})
    assert [int(each.split(":")[1]) for each in complaints] == [1, 4, 5]


def test_the_glossary_of_the_project_has_retired_terms() -> None:
    assert vocabulary.retired_terms(vocabulary.GLOSSARY.read_text())["told"] == "publish, record, report, read"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("app/again.py", ""),
        ("app/a.py", "def run_again(): ..."),
        ("app/a.py", "class Outer:\n    async def is_stray(self): ..."),
        ("app/a.py", "class StrayDisk: ..."),
        ("app/a.py", "def outer():\n    def again(): ..."),
        ("app/a.py", "again = 1"),
        ("app/a.py", "def run(*, stray=None): ..."),
        ("app/a.py", "def run(row):\n    row.is_stray = True"),
        ("app/a.py", "class Disk:\n    stray: bool"),
        ("app/a.py", "names = [stray for stray in ()]"),
        ("app/a.py", "import os as ears"),
        ("tests/a.py", "def test_again(): ..."),
        ("tests/a.py", "def test_it(stray): ..."),
        ("tests/a.py", "def test_it():\n    again = 1"),
    ],
)
def test_retired_word_in_a_name_fails_with_the_term_to_use(name: str, text: str) -> None:
    (complaint,) = vocabulary.complaints_of(name, text, RETIRED)
    assert "retry" in complaint or "orphan" in complaint


@pytest.mark.parametrize(
    "text", ["def against(): ...", "def note(): ...", "class DeedOut: ...", "wished = again.first()"]
)
def test_other_names_pass(text: str) -> None:
    assert not list(
        vocabulary.complaints_of("app/a.py", text, {**RETIRED, "deed": "audit entry", "wished": "requested"})
    )


@pytest.mark.parametrize("first", ["What is kept.", "Whether it runs", "Of facts: all."])
def test_a_docstring_without_a_verb_or_a_subject_first_fails(first: str) -> None:
    text = f'"""Plain."""\ndef f():\n    """{first}"""'
    (complaint,) = vocabulary.complaints_of("app/a.py", text, RETIRED)
    assert complaint.startswith("app/a.py:2 f: the docstring begins with")


@pytest.mark.parametrize("first", ["Return the rows.", "Node queries for operators.", "Whatsit."])
def test_other_docstrings_pass(first: str) -> None:
    assert not list(vocabulary.complaints_of("app/a.py", f'def f():\n    """{first}"""', RETIRED))
