"""Plan a change by the schema alone: the new values, the differences, and replacements."""

from collections.abc import Mapping
from dataclasses import replace

from clients.terraform.runtime.diagnostics import DiagnosticReport, Key, Path
from clients.terraform.runtime.schema import ABSENT, Attribute, Nested, canonical, same
from clients.terraform.runtime.values import UNKNOWN, Value, Values, is_known

Attributes = Mapping[str, Attribute]


def proposed(attributes: Attributes, config: Values, prior: Values | None) -> Values:
    """Return the proposed values.

    They are the configuration, and for attributes without one: the default, the prior value, or UNKNOWN in a new
    object.
    """
    was: Values = prior or {}
    return {
        name: _proposed(attribute, config.get(name), was.get(name), is_new=prior is None)
        for name, attribute in attributes.items()
    }


def _proposed(attribute: Attribute, config: Value, prior: Value, *, is_new: bool) -> Value:
    if attribute.write_only:
        return None
    if config is None:
        if attribute.default is not ABSENT:
            return attribute.default
        if not attribute.computed:
            return None
        return UNKNOWN if is_new else prior
    if isinstance(attribute.type, Nested) and config is not UNKNOWN:
        return _proposed_nested(attribute.type, config, prior)
    return config


def _proposed_nested(nested: Nested, config: Value, prior: Value) -> Value:
    def one(item: Value, was: Value) -> Value:
        if item is None or item is UNKNOWN:
            return item
        return proposed(nested.attributes, item, was if isinstance(was, dict) else None)

    if nested.nesting == "single":
        return one(config, prior)
    if nested.nesting == "map":
        was_at = prior if isinstance(prior, dict) else {}
        return {key: one(item, was_at.get(key)) for key, item in config.items()}
    were = prior if isinstance(prior, list) else []
    if nested.nesting == "list":
        return [one(item, were[index] if index < len(were) else None) for index, item in enumerate(config)]
    return [one(item, _counterpart(nested, item, were)) for item in config]


def _counterpart(nested: Nested, item: Value, were: list[Value]) -> Value:
    """Return the member of a set that was configured like this one."""
    given = {name: attribute for name, attribute in nested.attributes.items() if not attribute.computed}
    like = canonical(item, Nested("single", given))
    return next((was for was in were if canonical(was, Nested("single", given)) == like), None)


def differing(attributes: Attributes, prior: Values, planned: Values) -> list[str]:
    """Return the attributes that would change, without those that only follow others."""
    return [
        name
        for name, attribute in attributes.items()
        if not attribute.volatile and not same(prior.get(name), planned.get(name), attribute.type)
    ]


def forget_volatile(attributes: Attributes, config: Values, planned: Values) -> None:
    for name, attribute in attributes.items():
        if attribute.volatile and config.get(name) is None:
            planned[name] = UNKNOWN


def replacing(attributes: Attributes, prior: Values, planned: Values) -> list[str]:
    """Return the attributes whose change needs a new object."""
    return [
        name
        for name in differing(attributes, prior, planned)
        if _replaces(attributes[name], prior.get(name), planned.get(name))
    ]


def _replaces(attribute: Attribute, prior: Value, planned: Value) -> bool:
    if callable(attribute.replace):
        return attribute.replace(prior, planned)
    return attribute.replace


def with_known_values(planned: Value, actual: Value) -> Value:
    """Return the plan with the values that became known: Terraform accepts no other result as consistent.

    Differences on the API's side appear with the next plan.
    """
    if planned is UNKNOWN:
        return actual
    if is_known(planned) or type(planned) is not type(actual):
        return planned
    if isinstance(planned, dict):
        return {name: with_known_values(value, actual.get(name)) for name, value in planned.items()}
    if len(planned) != len(actual):
        return planned
    return [with_known_values(value, item) for value, item in zip(planned, actual, strict=True)]


def validate(attributes: Attributes, config: Values, report: DiagnosticReport, *, at: Path = ()) -> None:
    """Run the checks of all known values."""
    for name, attribute in attributes.items():
        value, path = config.get(name), (*at, name)
        if value is None or value is UNKNOWN:
            continue
        for check in attribute.checks:
            if is_known(value) and (complaint := check(value)) is not None:
                report.error(f"{name} is not valid", complaint, path=path)
        if isinstance(attribute.type, Nested):
            _validate_nested(attribute.type, value, report, path)


def _validate_nested(nested: Nested, value: Value, report: DiagnosticReport, path: Path) -> None:
    if nested.nesting == "single":
        items = [(path, value)]
    elif nested.nesting == "map":
        items = [((*path, Key(key)), item) for key, item in value.items()]
    elif nested.nesting == "list":
        items = [((*path, index), item) for index, item in enumerate(value)]
    else:
        _validate_members(nested, value, report, path)
        return
    for where, item in items:
        if isinstance(item, dict):
            validate(nested.attributes, item, report, at=where)


def _validate_members(nested: Nested, items: list[Value], report: DiagnosticReport, path: Path) -> None:
    """Validate the members of a set: errors of a member are reported for the set."""
    for item in items:
        if isinstance(item, dict):
            inner = DiagnosticReport()
            validate(nested.attributes, item, inner)
            report.diagnostics += [replace(remark, path=tuple(path)) for remark in inner.diagnostics]
