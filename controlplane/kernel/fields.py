"""Fields of requests and responses. Input is not coerced: "5" is no number, 1 is no boolean."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import SkipField, empty

from andromede_core.documents.labels import LABEL_VALUE
from controlplane.kernel import representation_serializer
from controlplane.kernel.error_messages import describe_document
from controlplane.kernel.names import NAME, NAME_MAX
from controlplane.kernel.query_parameters import CONTROL, MANY_LINES, ONE_LINE

UNKNOWN_MAX = 20  # at most so many unknown members of a body are named
REFERENCE_MAX = 80


class In(serializers.Serializer[Any]):
    """Request body.

    A member that the schema does not know is an error that names it, for the first UNKNOWN_MAX members.

    `example`: a valid body, for the reference.
    """

    example: Mapping[str, object] = {}

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(data.keys() - self.fields.keys()) if isinstance(data, Mapping) else []
        errors = {
            name[:80]: [ErrorDetail(str(_("There is no such field here.")), code="unknown_field")]
            for name in unknown[:UNKNOWN_MAX]
        }
        try:
            value = super().to_internal_value(data)
        except ValidationError as exc:
            raise ValidationError({**errors, **cast(dict[str, Any], exc.detail)}) from exc
        if errors:
            raise ValidationError(errors)
        return value


class Out(serializers.Serializer[Any]):
    """Response body."""

    def to_representation(self, instance: Any) -> Any:
        members = {}
        for name, member in representation_serializer.field_getters(type(self), instance.__class__):
            try:
                members[name] = member(self, instance)
            except SkipField:
                continue
        return members


class Text(serializers.CharField):
    """One line of text without control characters; `is_multiline` accepts every text that the JSON parser accepts.

    `pattern`: the accepted texts, for the OpenAPI document.
    """

    pattern = ONE_LINE

    default_error_messages = {
        "invalid": _("Must be a text."),
        "control_characters": _("Has a control character."),
    }

    def __init__(self, *, is_multiline: bool = False, **kwargs: Any) -> None:
        self.is_multiline = is_multiline
        if is_multiline:
            self.pattern = MANY_LINES
        super().__init__(**({"trim_whitespace": False, "max_length": 255} | kwargs))

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if not self.is_multiline and CONTROL.search(data):
            self.fail("control_characters")
        return data


class Name(Text):
    """A new name. The service checks its characters."""

    pattern = f"^{NAME.pattern}$"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"max_length": NAME_MAX} | kwargs))


class Reference(Text):
    """The id or name of an existing resource."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"max_length": REFERENCE_MAX} | kwargs))


class IpAddress(serializers.IPAddressField):
    """An IPv4 or IPv6 address without a scope; `fe80::1%eth0` has one (RFC 4007)."""

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, str) and "%" in data:
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A whole number from `min_value` to `max_value`; rejects strings, booleans and fractions."""

    default_error_messages = {"invalid": _("Must be a whole number.")}

    def __init__(self, *, min_value: int, max_value: int, **kwargs: Any) -> None:
        super().__init__(min_value=min_value, max_value=max_value, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class Flag(serializers.BooleanField):
    default_error_messages = {"invalid": _("Must be true or false.")}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class Choice(serializers.ChoiceField):
    default_error_messages = {"invalid_choice": _("Must be one of: {choices}.")}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", choices=", ".join(self.choices))
        return data


class Base64(Text):
    """Bytes, in base64 (RFC 4648 §4)."""

    pattern = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
    default_error_messages = {"not_base64": _("Must be bytes in base64.")}

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation(data) or b""  # REST framework rejects blank text

    def to_internal_value(self, data: Any) -> bytes:  # type: ignore[override]
        try:
            return base64.b64decode(super().to_internal_value(data), validate=True)
        except (binascii.Error, ValueError):
            self.fail("not_base64")


class LabelValue(Text):
    pattern = f"^{LABEL_VALUE.pattern}$"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=NAME_MAX, allow_blank=True, **kwargs)


class LabelsPatch(serializers.DictField):
    """Labels to set; null removes a label (JSON Merge Patch, RFC 7396). The service checks keys and values."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=LabelValue(allow_null=True), **kwargs)


class Labels(serializers.DictField):
    """Labels, complete. The service checks keys and values."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=LabelValue(), **kwargs)


def merge_labels(labels: Mapping[str, str], patch: Mapping[str, str | None]) -> dict[str, str]:
    """Return the labels after a LabelsPatch."""
    return {key: value for key, value in {**labels, **patch}.items() if value is not None}


def references(*, max_length: int, **kwargs: Any) -> serializers.ListField:
    """A list of ids or names."""
    return serializers.ListField(child=Reference(), max_length=max_length, **kwargs)


class ClassificationsField(serializers.ListField):
    """Classifications of a resource's data; empty: public. The context has `classifications`: resource id → names."""

    @staticmethod
    def from_context(context: Mapping[str, Any], row: Any) -> Any:
        return context["classifications"].get(row.pk, [])


class OutsideUrl(serializers.CharField):
    """A URL outside the platform.

    Query and user part may hold secrets, so only callers with write access see them: the context has `sees_urls`.
    """

    def from_context(self, context: Mapping[str, Any], row: Any) -> str:
        url: str = getattr(row, str(self.source))
        return url if context.get("sees_urls") else without_secrets(url)


def without_secrets(url: str) -> str:
    """Return the URL without user part and fragment, and with … in place of the query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}{'?…' if parts.query else ''}" if host else ""


def classified() -> ClassificationsField:
    return ClassificationsField(child=serializers.CharField(), read_only=True)


class NamedOut(Out):
    """A resource: its id and its present name."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class ErrorOut(Out):
    """The error that an operation ended with, in the caller's language."""

    code = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    retryable = serializers.BooleanField()
    blocking_operation = serializers.UUIDField(required=False)
    placement_decision = serializers.UUIDField(required=False)
    facts = serializers.DictField(required=False)

    def to_representation(self, instance: Any) -> Any:
        return describe_document(instance)


class ConditionOut(Out):
    type = serializers.CharField()
    status = serializers.ChoiceField(["true", "false", "unknown"])
    reason = serializers.CharField()
    message = serializers.CharField()
    changed_at = serializers.DateTimeField(allow_null=True)


class ResourceOut(Out):
    """Common fields of a project's resources. The context has `current_operations`: resource id → operation id."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    state: serializers.Field[Any, Any, Any, Any] = serializers.CharField()
    conditions = serializers.SerializerMethodField()
    current_operation = serializers.SerializerMethodField()
    last_error = ErrorOut(allow_null=True)
    generation = serializers.IntegerField()
    labels = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(ConditionOut(many=True))
    def get_conditions(self, row: Any) -> list[dict[str, Any]]:
        return []

    def get_current_operation(self, row: Any) -> UUID | None:
        operation_id: UUID | None = self.context["current_operations"].get(row.pk)
        return operation_id


class StaticResourceOut(ResourceOut):
    """Common fields of a resource that is complete when it is created: no operation works on it, and it cannot fail."""

    state = serializers.SerializerMethodField()
    last_error = serializers.SerializerMethodField()  # type: ignore[assignment]

    @extend_schema_field(serializers.ChoiceField(["ready"]))
    def get_state(self, row: Any) -> str:
        return "ready"

    @extend_schema_field(ErrorOut(allow_null=True))
    def get_last_error(self, row: Any) -> None:
        return None

    def get_current_operation(self, row: Any) -> UUID | None:
        return None
