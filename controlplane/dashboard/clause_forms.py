"""The clauses of a policy as rows of a form: one small form per clause, with the fields of its subject.

The request alone holds the rows: `clause` has one entry per row, its number and its subject, so that a button that
sends the form adds or removes a clause, with JavaScript or without.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard import clause_labels
from controlplane.dashboard.clause_labels import CERTIFICATE, DISTANCE, FLAG, LISTED, NOTICE, ONE_OF, PAST, SCALE, WHOLE
from controlplane.dashboard.forms import ApiForm

COPIES = ("backup", "replica")
ROWS, TEXT = "clause", "document"
FREE = "free"
Clauses = list[dict[str, Any]]
YES_NO = (("true", _("yes")), ("false", _("no")))
HINTS = {
    ONE_OF: _("Separate values with commas, such as FR, DE. Territories also accept a named set: @EU."),
    LISTED: _("Separate values with commas, such as FR, DE. Territories also accept a named set: @EU."),
    clause_labels.SHARE: _("Two decimal places, such as 24.00."),
    PAST: _("Days."),
    DISTANCE: _("Kilometres."),
}


class ClauseForm(ApiForm):
    """The form of one clause about `subject`. An unknown subject has its value as JSON."""

    def __init__(self, subject: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subject = subject
        label = clause_labels.SUBJECTS.get(subject)
        self.kind = label.kind if label else FREE
        self.words = label.words if label else subject
        self.fields |= self._test(label.scale if label else ()) | self._besides()

    def _test(self, scale: Sequence[str]) -> dict[str, forms.Field]:
        if self.kind == CERTIFICATE:
            return _certificate()
        operators = clause_labels.OPERATORS_OF.get(self.kind, tuple(clause_labels.OPERATORS))
        choices = [(each, clause_labels.OPERATORS[each]) for each in operators]
        widget = forms.HiddenInput() if len(choices) == 1 else forms.Select()
        return {
            "op": forms.ChoiceField(label=_("Test"), choices=choices, initial=operators[0], widget=widget),
            "value": self._value(scale),
        }

    def _value(self, scale: Sequence[str]) -> forms.Field:
        label, hint = _("Value"), HINTS.get(self.kind, "")
        if self.kind == FLAG:
            return forms.ChoiceField(label=label, choices=YES_NO)
        if self.kind == SCALE:
            return forms.ChoiceField(label=label, choices=[(each, clause_labels.VALUES[each]) for each in scale])
        if self.kind == NOTICE:
            return forms.ChoiceField(label=label, choices=[("none", _("none announced"))])
        if self.kind in (WHOLE, PAST, DISTANCE):
            return forms.IntegerField(label=label, help_text=hint, min_value=0)
        if self.kind == FREE:
            return forms.JSONField(label=_("Value (JSON)"))
        return forms.CharField(label=label, help_text=hint, widget=_plain())

    def _besides(self) -> dict[str, forms.Field]:
        parts = _several(clause_labels.PARTY_ROLES, _("Only for parties with the role"))
        reach = forms.BooleanField(label=_("Only parties with technical access to data"), required=False)
        roles = COPIES if self.kind == DISTANCE else tuple(clause_labels.ROLES)
        label = _("Only for") if self.kind != DISTANCE else _("For these copies")
        return {
            "id": forms.CharField(label=_("Name of the clause"), max_length=64, widget=_plain()),
            "roles": _several({each: clause_labels.ROLES[each] for each in roles}, label),
            **({"party_roles": parts, "only_with_technical_access": reach} if self.subject[:6] == "party." else {}),
            "assertion_min": forms.ChoiceField(
                label=_("Minimum assurance"),
                required=False,
                choices=[("", _("any source")), *clause_labels.ASSERTIONS.items()],
            ),
            "waivable": forms.BooleanField(label=_("Two officers can exempt from it for some hours"), required=False),
        }

    def first(self) -> list[Any]:
        """Return the main fields of the clause, without its options."""
        names = ("scheme", "min_version", "level", "scope", "min_remaining_days", "op", "value")
        more = ("roles",) if self.kind == DISTANCE else ()
        return [self[name] for name in (*names, *more) if name in self.fields]

    def besides(self) -> list[Any]:
        shown = {field.name for field in self.first()}
        return [field for field in self if field.name not in shown]

    @property
    def has_errors_besides(self) -> bool:
        return any(field.errors for field in self.besides())

    def clause(self) -> dict[str, Any]:
        """Return the clause in the API's form, from valid fields."""
        clause = {name: value for name, value in self.body().items() if value is not False}
        if self.kind == CERTIFICATE:
            return {"op": clause_labels.HOLDS, **clause}
        if self.kind != DISTANCE:
            clause["attr"] = self.subject
        return clause | {"value": self._typed(clause.get("value"))}

    def _typed(self, value: Any) -> Any:
        if self.kind in (ONE_OF, LISTED):
            return [each for each in (part.strip() for part in str(value or "").split(",")) if each]
        return value == "true" if self.kind == FLAG else value


def _certificate() -> dict[str, forms.Field]:
    return {
        "scheme": forms.CharField(
            label=_("Scheme"), help_text=_("Such as SecNumCloud, or a class: @…"), widget=_plain()
        ),
        "min_version": forms.CharField(label=_("Version at least"), required=False, widget=_plain()),
        "level": forms.CharField(label=_("Level"), required=False, widget=_plain()),
        "scope": forms.CharField(label=_("Covering"), required=False, help_text=_("Such as iaas."), widget=_plain()),
        "min_remaining_days": forms.IntegerField(
            label=_("Remaining validity (days)"), required=False, min_value=0, max_value=3660
        ),
    }


def _plain() -> forms.TextInput:
    return forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})


def _several(words: Mapping[str, Any], label: Any) -> forms.Field:
    choices = list(words.items())
    return forms.MultipleChoiceField(
        label=label,
        choices=choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None selected: applies to all."),
    )


class ClauseRows:
    """The clauses of a policy in the editor. `text`: the complete ones, in the API's JSON."""

    def __init__(self, rows: Iterable[ClauseForm], clauses: Clauses | None = None) -> None:
        self.rows = list(rows)
        self._clauses = clauses

    @classmethod
    def from_clauses(cls, clauses: Clauses) -> "ClauseRows":
        rows = (
            _row(at, clause_labels.subject_of(clause), initial=_initial(clause)) for at, clause in enumerate(clauses)
        )
        return cls(rows, clauses)

    @classmethod
    def from_request(cls, data: QueryDict) -> "ClauseRows":
        parts = (entry.partition(":") for entry in data.getlist(ROWS))
        return cls(_row(int(number), subject, data) for number, _sep, subject in parts if number.isdecimal())

    def __iter__(self) -> Iterator[ClauseForm]:
        return iter(self.rows)

    def without_validation(self) -> "ClauseRows":
        """Return the clause from the raw fields, before validation."""
        written = ((row, {field.name: field.value() for field in row}) for row in self.rows)
        rows = [_row(int(str(row.prefix)[1:]), row.subject, initial=values) for row, values in written]
        return ClauseRows(rows, self.clauses())

    def add(self, subject: str) -> None:
        number = max((int(str(row.prefix)[1:]) for row in self.rows), default=-1) + 1
        taken = {row["id"].value() for row in self.rows}
        stem = subject.rpartition(".")[2].replace("_", "-") or "clause"
        name = next(each for each in (stem, *(f"{stem}-{n}" for n in range(2, 70))) if each not in taken)
        self.rows.append(_row(number, subject, initial={"id": name}))

    def remove(self, prefix: str) -> None:
        self.rows = [row for row in self.rows if row.prefix != prefix]

    def are_valid(self) -> bool:
        return all([row.is_valid() for row in self.rows])

    def clauses(self) -> Clauses:
        return self._clauses if self._clauses is not None else [row.clause() for row in self.rows if row.is_valid()]

    @property
    def text(self) -> str:
        return json.dumps(self.clauses(), indent=2, ensure_ascii=False)

    def show_problem(self, problem: Mapping[str, Any]) -> list[str]:
        """Show the API's errors next to their clauses; return those about none."""
        others = []
        for error in problem.get("errors") or []:
            at = str(error.get("pointer", "")).strip("/").split("/")
            if at[0] == "atoms" and len(at) > 1 and at[1].isdecimal() and int(at[1]) < len(self.rows):
                row = self.rows[int(at[1])]
                row.add_error(at[2] if len(at) > 2 and at[2] in row.fields else None, error["detail"])
            else:
                others.append(str(error["detail"]))
        if not problem.get("errors"):
            others.append(str(problem.get("detail") or problem.get("title") or problem.get("code", "")))
        return others


def parse_clauses(text: str) -> Clauses:
    """Parse clauses from JSON. Raises ValueError with a text for the user."""
    try:
        document = json.loads(text or "[]")
    except json.JSONDecodeError as exc:
        raise ValueError(
            gettext("Invalid JSON at line {line}, column {column}.").format(line=exc.lineno, column=exc.colno)
        ) from exc
    clauses = document.get("atoms") if isinstance(document, dict) else document
    if not isinstance(clauses, list) or not all(isinstance(clause, dict) for clause in clauses):
        raise ValueError(gettext("Enter a list of clauses, or an object with “atoms”."))
    return clauses


def _row(
    number: int, subject: str, data: QueryDict | None = None, initial: Mapping[str, Any] | None = None
) -> ClauseForm:
    return ClauseForm(subject, data, prefix=f"c{number}", initial=dict(initial or {}))


def _initial(clause: Mapping[str, Any]) -> dict[str, Any]:
    value = clause.get("value")
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    if isinstance(value, bool):
        value = "true" if value else "false"
    return {**clause, "value": value}
