"""The OpenAPI 3.1 document, generated from the routes of the views (kernel.views.Route) and their serializers."""

import json
from collections.abc import Mapping
from functools import cache
from inspect import cleandoc
from typing import Any, cast

import uritemplate
from django.utils import translation
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_lib_doc_excludes
from drf_spectacular.settings import patched_settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from andromede_core.documents.labels import LABEL_KEY, LABELS_MAX
from controlplane.api import examples, links, problems, responses
from controlplane.api.base_views import ActorView, OrganizationView, ProjectView
from controlplane.api.declared_errors import declared_errors
from controlplane.api.openapi_summaries import summary
from controlplane.identity.authorization_rules import rule_of
from controlplane.identity.authorization_terms import PUBLIC
from controlplane.kernel import idempotency
from controlplane.kernel.fields import In, Labels, Out, ResourceOut, StaticResourceOut, Text
from controlplane.kernel.query_parameters import CONTROL_CLASS, ID
from controlplane.kernel.views import Route, View

SETTINGS: dict[str, Any] = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Andromède",
    "DESCRIPTION": (
        "An IaaS control plane whose placement of guests and data is part of the contract.\n\n"
        "Long changes answer with their operation; GET it with `?wait=30s` until it has ended. Errors are problems "
        "(RFC 9457), in English or French by `Accept-Language`; their `code` never changes. Enumerations may grow."
    ),
    "VERSION": "1",
    "LICENSE": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    "SCHEMA_PATH_PREFIX": "/v1",
    "COMPONENT_SPLIT_PATCH": False,
    "POSTPROCESSING_HOOKS": [],
    "SORT_OPERATION_PARAMETERS": False,
    "GET_LIB_DOC_EXCLUDES": "controlplane.api.schema.bases",
}
# Bodies and responses without a serializer, by media type; the others are bytes.
BARE = {
    "application/json": OpenApiTypes.OBJECT,
    "application/jsonl": OpenApiTypes.STR,
    "text/plain": OpenApiTypes.STR,
    "text/event-stream": OpenApiTypes.STR,
}
OURS = (In, Out, ResourceOut, StaticResourceOut, View, ActorView, OrganizationView, ProjectView, serializers.Serializer)
IN_PATH = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": f"^[^/{CONTROL_CLASS}]+$"}
BY_ID_ALONE = (
    "token",
    "operation",
    "decision",
    "proposal",
    "classification",
    "resource",
    "record",
    "export",
    "session",
    "user",
    "identity",
    "passkey",
    "quota_request",
    "delivery",
    "exemption",
    "invitation",
    "plan",
)
# Path variables that are neither id nor name.
IDENTIFIED = {
    "arch": "The processor architecture, in Go's notation.",
    "attachment": "The id of the attachment, or the id or name of its volume.",
    "code": "The code of the error.",
    "file": "The name of the file.",
    "member": "The id of the membership, or the id or e-mail address of the member.",
    "namespace": "The namespace of the Terraform provider.",
    "officer_key": "The `key_id` of the officer key.",
    "os": "The operating system, in Go's notation.",
    "party": "The name of the party.",
    "terraform_provider": "The name of the Terraform provider.",
    "terraform_state": "The name of the Terraform state.",
    "version": "The version, from the list of versions.",
    "zone": "The name of the zone.",
}


def document() -> str:
    """Return the document as it is committed."""
    with translation.override("en"), patched_settings(SETTINGS):
        schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    schema["components"] |= {"responses": responses.PROBLEMS, "headers": responses.HEADERS}
    links.add(schema)
    examples.add(schema)
    return json.dumps(schema, indent=2, ensure_ascii=False)


def bases() -> list[type]:
    """Return the classes whose docstrings are for developers and do not appear in the document."""
    return [*get_lib_doc_excludes(), *OURS]  # type: ignore[no-untyped-call]


class ProblemErrorOut(Out):
    """One invalid value. Either `pointer` (into the body, RFC 6901) or `parameter` (of the query) locates it."""

    pointer = serializers.CharField(required=False)
    parameter = serializers.CharField(required=False)
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemOut(Out):
    """A problem (RFC 9457), in the caller's language.

    `code` is for programs and never changes. `facts` are the data in the detail.
    """

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    retryable = serializers.BooleanField()
    request_id = serializers.CharField()
    errors = ProblemErrorOut(many=True)  # type: ignore[assignment]
    facts = serializers.DictField(required=False)
    blocking_operation = serializers.UUIDField(required=False)
    placement_decision = serializers.UUIDField(required=False)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "controlplane.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


@cache
def page_of(out: type[Out]) -> type[Out]:
    """Return the schema of a list's page."""
    fields = {
        "items": out(many=True),
        "next_page_token": serializers.CharField(allow_null=True),
        "total_count": serializers.IntegerField(required=False, help_text="With `count=true`."),
    }
    return cast(type[Out], type(f"{out.__name__.removesuffix('Out')}PageOut", (Out,), fields))


@cache
def problem_with(more: type[Out]) -> type[Out]:
    """Return the schema of a problem with additional members."""
    fields = {**ProblemOut().get_fields(), **more().get_fields()}
    return cast(type[Out], type(f"{more.__name__.removesuffix('Out')}ProblemOut", (Out,), fields))


IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The ETag of the version to replace, from GET; * for any version.",
)

IF_MATCH_OPTIONAL = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The ETag of the version that was read: if the present one differs, nothing is done (412).",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    idempotency.HEADER,
    {"type": "string", "pattern": f"^{idempotency.KEY.pattern}$"},
    OpenApiParameter.HEADER,
    description="A repetition with the same key within a day does nothing, and gets the first response.",
)


class Schema(AutoSchema):
    @property
    def route(self) -> Route:
        route: Route = getattr(self.view, self.method.lower()).route
        return route

    def get_operation_id(self) -> str:
        return self.route.operation_id

    def get_summary(self) -> str:
        return summary(self.route.operation_id)

    def get_description(self) -> str:  # type: ignore[override]
        text = getattr(self.view, self.method.lower()).__doc__ or self.view.__class__.__dict__.get("__doc__") or ""
        return cleandoc(text)  # Python 3.13 removes the indentation itself

    def get_tags(self) -> list[str]:
        """Return the first noun of the path, or the noun below a project or organization."""
        nouns = [part for part in self.path.removeprefix("/v1").split("/") if part and not part.startswith((".", "{"))]
        is_within = nouns[0] in ("projects", "organizations") and len(nouns) > 1
        return [nouns[is_within].removesuffix(".json")]

    def get_override_parameters(self) -> list[Any]:
        path = [
            OpenApiParameter(name, dict(_named(name)), OpenApiParameter.PATH, description=_identified(name))
            for name in uritemplate.variables(self.path)
        ]
        query = [
            OpenApiParameter(
                name, dict(each.schema), OpenApiParameter.QUERY, required=each.is_required, description=each.description
            )
            for name, each in self.route.parameters.items()
        ]
        return [*path, *query, *self._headers()]

    def _headers(self) -> list[Any]:
        keyed = [IDEMPOTENCY_KEY] if self.method == "POST" else []
        is_optional = self.route.is_write and self._has_versions()
        versions = [IF_MATCH] if self.route.is_versioned else [IF_MATCH_OPTIONAL] if is_optional else []
        return [*keyed, *versions]

    def _has_versions(self) -> bool:
        return getattr(type(self.view), "versioned", None) is not View.versioned

    def is_deprecated(self) -> bool:
        return self.route.deprecation is not None

    def get_operation(self, *given: Any) -> Any:
        """Return the operation with `x-sunset`, an extension for the time in the header Sunset, which OpenAPI lacks."""
        operation, deprecation = super().get_operation(*given), self.route.deprecation
        if operation is None or deprecation is None or deprecation.sunset is None:
            return operation
        return operation | {"x-sunset": deprecation.sunset.isoformat()}

    def get_request_serializer(self) -> Any:
        if self.route.upload:
            return {self.route.upload: BARE.get(self.route.upload, OpenApiTypes.BINARY)}
        return self.route.body

    def get_response_serializers(self) -> Any:
        route = self.route
        answer: Any = page_of(cast(type[Out], route.answer)) if route.listing else route.answer
        if answer is None and route.status != 204:
            answer = BARE.get(route.media_type, OpenApiTypes.BINARY)
        is_tried = route.is_write and route.has_dry_run and route.answer is not None
        return {
            **({(200, route.media_type): answer} if is_tried else {}),
            (route.status, route.media_type): answer,
            **{(route.status, other): OpenApiTypes.STR for other in route.media_types},
            **{(status, route.media_type): other for status, other in route.answers.items()},
            **{status: None for status in route.empty_statuses},
            **{
                (status, problems.MEDIA_TYPE): problem_with(cast(type[Out], more))
                for status, more in route.problems.items()
            },
        }

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        """Return the responses with their headers, and all errors."""
        bodies = super()._get_response_bodies(direction)
        self.resolve_serializer(ProblemOut, direction)
        for status, each in bodies.items():
            each["headers"] = responses.headers(self.route, int(status), self.method, has_version=self._has_versions())
        refused = declared_errors(self.route, self.view, self.method, self.path)
        return bodies | {str(status): responses.reference(status) for status in refused if str(status) not in bodies}

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        name = type(serializer).__name__
        return (
            name.removesuffix("Out")
            if name.endswith("Out")
            else name.removesuffix("In") + "Input" * name.endswith("In")
        )

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False

    def get_auth(self) -> list[Any]:
        """Return the security schemes; public routes also accept a credential."""
        schemes: list[Any] = super().get_auth()
        is_public = rule_of(self.route.operation_id).roles == PUBLIC
        return [*schemes, {}] if schemes and is_public else schemes

    def _get_serializer_field_meta(self, field: Any, direction: Any) -> Any:
        """Return the schema of a field; a field of any JSON is nullable without a mark."""
        meta = super()._get_serializer_field_meta(field, direction)  # type: ignore[no-untyped-call]
        if isinstance(field, serializers.JSONField):
            meta.pop("nullable", None)
        return meta

    def _insert_field_validators(self, field: Any, schema: Any) -> None:
        """Add the constraints of the project's own fields. Called twice for the items of a list or a dictionary."""
        if "pattern" in schema:
            return
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]
        if isinstance(field, Text):
            schema["pattern"] = field.pattern
            if not field.allow_blank:
                schema["minLength"] = 1
                if schema.get("default") == "":  # the same as none, and cannot be sent
                    del schema["default"]
        elif isinstance(field, Labels):
            keys = {"type": "string", "pattern": f"^{LABEL_KEY.pattern}$"}
            schema |= {"propertyNames": keys, "maxProperties": LABELS_MAX}

    def _postprocess_serializer_schema(self, schema: Any, serializer: Any, direction: Any) -> Any:
        done = super()._postprocess_serializer_schema(schema, serializer, direction)  # type: ignore[no-untyped-call]
        return done | {"additionalProperties": False} if isinstance(serializer, In) else done


def _named(name: str) -> Mapping[str, Any]:
    return ID if name in BY_ID_ALONE else IN_PATH


def _identified(name: str) -> str:
    if name in IDENTIFIED:
        return IDENTIFIED[name]
    how = "id" if name in BY_ID_ALONE else "id or name"
    return f"The {how} of the {name.replace('_', ' ').replace('ssh', 'SSH')}."
