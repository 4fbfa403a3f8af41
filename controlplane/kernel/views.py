"""Base of all API views: a view class per URL, whose methods are routes.

A route declares its operation id, input and responses; the OpenAPI document is generated from the declaration, and
query and body are validated against it before the method runs. A method gets the body as plain values, calls one
service or selector, and answers.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.http import http_date
from rest_framework import status
from rest_framework.exceptions import MethodNotAllowed, UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from andromede_core.documents.messages import Message
from controlplane.kernel import etags, idempotency
from controlplane.kernel.errors import BodyTooLarge, CloudError, InvalidRequest, NotFound
from controlplane.kernel.fields import In
from controlplane.kernel.listing import Listing, invalid
from controlplane.kernel.names import as_uuid
from controlplane.kernel.query_parameters import CONTROL, Parameters
from controlplane.kernel.request_transaction import DRY_RUN_PARAMETER, in_one_transaction
from controlplane.kernel.uploads import upload_slot

NO_VERSION = -1
OCTET_STREAM = "application/octet-stream"
JSON = "application/json"
CHUNK_BYTES = 2**20
Body = dict[str, Any]
Handler = Callable[..., Any]
M = TypeVar("M", bound=Model)


class InvalidPath(InvalidRequest):
    code = "invalid_path"
    title = "Invalid path"
    detail = "The {part} in the path has a control character, which no name or id may contain."


class UnknownParameter(InvalidRequest):
    code = "unknown_parameter"
    title = "Unknown query parameter"
    detail = "There is no query parameter {name!r} here. Known parameters: {known}."


class NamedTwice(InvalidRequest):
    code = "named_twice"
    title = "Listed twice"
    detail = "{name!r} is in the list twice. Remove one of the two."


@dataclass(frozen=True)
class Deprecation:
    """Deprecation of a route: deprecated since a date, removed on `sunset` at the earliest.

    `instead`: URL of the page that names the replacement.
    """

    since: datetime
    instead: str
    sunset: datetime | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers Deprecation (RFC 9745), Sunset (RFC 8594) and Link."""
        headers = {
            "Deprecation": f"@{int(self.since.timestamp())}",
            "Link": f'<{self.instead}>; rel="deprecation"; type="text/html"',
        }
        return headers | ({"Sunset": http_date(self.sunset.timestamp())} if self.sunset else {})


@dataclass(frozen=True)
class Route:
    """Declaration of a method of a view: its OpenAPI operation, and the checks before it runs.

    `answer`: the schema of the response; None for an empty response, or for one of `media_type` that is not JSON.
    `empty_statuses`: further statuses with empty responses. `answers`: further statuses with schemas of their own.
    `problems`: statuses of problems with additional members. `error_statuses`: statuses of problems besides those that
    follow from the declaration (api/declared_errors.py). `media_types`: of the response, besides `media_type`. `query`:
    the query parameters. `upload`: the media type of a body that is read as bytes, in chunks, or whole up to
    `upload_max_bytes`. `is_versioned`: requires If-Match. `is_sensitive`: a read that is audited like a write.
    `own_transactions`: the reason why a write does not run in one transaction (kernel/request_transaction.py); each of
    its services then opens its own. `precheck`: runs before the body is read and the transaction begins. `has_dry_run`:
    a write that takes `dry_run`. `deprecation`: when the route ends. `is_write`: set by route().
    """

    operation_id: str
    answer: type[BaseSerializer[Any]] | None = None
    status: int = 200
    body: type[In] | None = None
    listing: Listing | None = None
    query: Parameters = field(default_factory=dict)
    media_type: str = JSON
    is_write: bool = False
    upload: str | None = None
    upload_max_bytes: int | None = None
    is_versioned: bool = False
    own_transactions: str = ""
    has_dry_run: bool = True
    is_sensitive: bool = False
    media_types: tuple[str, ...] = ()
    deprecation: Deprecation | None = None
    empty_statuses: tuple[int, ...] = ()
    answers: Mapping[int, type[BaseSerializer[Any]]] = field(default_factory=dict)
    problems: Mapping[int, type[BaseSerializer[Any]]] = field(default_factory=dict)
    error_statuses: tuple[int, ...] = ()
    precheck: Callable[[], None] | None = None

    @property
    def deprecation_headers(self) -> Mapping[str, str]:
        return self.deprecation.headers if self.deprecation else {}

    @property
    def parameters(self) -> Parameters:
        """Return all query parameters of the route."""
        dry_run_only = DRY_RUN_PARAMETER if self.is_write and self.has_dry_run else {}
        return {**(self.listing.parameters if self.listing else {}), **self.query, **dry_run_only}


def route(
    operation_id: str, answer: type[BaseSerializer[Any]] | None = None, **more: Any
) -> Callable[[Handler], Handler]:
    """Make a method of a View a Route; `more` are Route's other fields."""

    def decorate(method: Handler) -> Handler:
        is_write = method.__name__.upper() not in SAFE_METHODS
        described = Route(operation_id, answer, is_write=is_write, **more)

        @functools.wraps(method)
        def handle(view: "View", request: Request, **path: str) -> Any:
            _refuse_unknown(request, described.parameters)
            idempotency.check_key(request)
            if described.precheck is not None:
                described.precheck()
            bodies = _bodies(described, request)
            if not described.is_write or described.own_transactions:
                return method(view, request, *bodies)

            def work() -> Any:
                if etags.is_conditional(request) and not described.is_versioned:
                    etags.require_version(request, view.versioned())
                return method(view, request, *bodies)

            content = bodies[0] if described.upload_max_bytes else None
            return in_one_transaction(view, request, work, content)

        handle.route = described  # type: ignore[attr-defined]
        return _recorded(handle, described)

    return decorate


def _recorded(handle: Handler, described: Route) -> Handler:
    """Wrap a route and its transaction: the request record exists before the work begins.

    The middleware that attached the record to the request completes it.
    """

    @functools.wraps(handle)
    def recorded(view: "View", request: Request, **path: str) -> Any:
        request_audit = getattr(request._request, "request_audit", None)
        if request_audit is not None:
            request_audit.open(view, request, described)
        return handle(view, request, **path)

    return recorded


def _bodies(described: Route, request: Request) -> tuple[Any, ...]:
    """Return the arguments of the method besides the request: the parsed body, if any; for an upload, its bytes."""
    if described.upload and described.upload_max_bytes:
        return (b"".join(uploaded(request, described.upload, max_bytes=described.upload_max_bytes)),)
    if described.body is not None:
        return (parse(described.body, request),)
    if request.method == "POST" and described.upload is None:
        parse(In, request)
    return ()


def parse(body_class: type[In], request: Request) -> Body:
    """Return the body as plain values; raises ValidationError naming every invalid field."""
    return dict(_validator(body_class).run_validation(request.data))


@functools.cache
def _validator(body_class: type[In]) -> In:
    """Return the serializer of all bodies of this class: to make one copies each of its fields, nested ones too."""
    return body_class()


def _refuse_control_characters(request: Request, path: Mapping[str, str]) -> None:
    """Reject control characters: the database takes no NUL, and no stored value contains any."""
    for part, text in path.items():
        if CONTROL.search(text):
            raise InvalidPath(part=part)
    for name, texts in request.query_params.lists():
        if any(CONTROL.search(text) for text in texts):
            raise invalid(name[:80], Message("it has a control character."))


def _refuse_unknown(request: Request, declared: Parameters) -> None:
    """Reject unknown parameters, and repeated ones, which would be ambiguous."""
    for name, texts in request.query_params.lists():
        if name not in declared:
            raise UnknownParameter(field=f"?{name[:80]}", name=name[:80], known=", ".join(declared) or "-")
        if len(texts) > 1:
            raise invalid(name, Message("it is there more than once."))


def _media_type(request: Request) -> str:
    """Return the media type without its parameters."""
    return request.content_type.split(";")[0].strip().lower()


class JsonAlways(BaseContentNegotiation):
    """Content negotiation that ignores the Accept header: the API only has JSON."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        return next((parser for parser in parsers if parser.media_type == _media_type(request)), None)

    def select_renderer(self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None) -> Any:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class LengthRequired(CloudError):
    code = "length_required"
    title = "Length required"
    detail = "The Content-Length header is missing. Set it to the number of bytes in the body."


class VersionRequired(CloudError):
    code = "version_required"
    title = "If-Match required"
    detail = "The request replaces the whole resource. Send the ETag from GET in If-Match, or * for any version."


class UploadInterrupted(InvalidRequest):
    code = "upload_interrupted"
    title = "Upload interrupted"
    detail = "Only {received_bytes} of {expected_bytes} bytes were received. Send the file again."


def etag(version: int) -> dict[str, str]:
    """Return the header with the version of the response."""
    return {"ETag": f'"{version}"'}


def version_to_replace(request: Request) -> int | None:
    """Return the version in If-Match; None for any version, NO_VERSION for a version that never existed.

    Raises:
        VersionRequired: the header is missing.
    """
    named = request.headers.get("If-Match", "").strip()
    if not named:
        raise VersionRequired()
    if named == "*":
        return None
    digits = named.strip('"')
    return int(digits) if named == f'"{digits}"' and digits.isdecimal() and len(digits) < 10 else NO_VERSION


def uploaded(request: Request, media_type: str = OCTET_STREAM, *, max_bytes: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of an uploaded file in chunks as they arrive.

    Raises:
        UnsupportedMediaType, LengthRequired
        BodyTooLarge: the file has more than `max_bytes`; None: the reader enforces its own limit.
        UploadInterrupted, UploadsExhausted: during the upload; the latter only without `max_bytes`.
    """
    if _media_type(request) != media_type:
        raise UnsupportedMediaType(request.content_type)
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdecimal():
        raise LengthRequired()
    if max_bytes is not None and int(length) > max_bytes:
        raise BodyTooLarge(limit_bytes=max_bytes)
    pieces = _pieces(request._request, int(length))
    return pieces if max_bytes is not None else _received(request._request, int(length), pieces)


def _received(body: HttpRequest, length: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    with upload_slot(body, length):
        yield from pieces


def _pieces(body: HttpRequest, length: int) -> Iterator[bytes]:
    received = 0
    while received < length:
        piece = body.read(min(CHUNK_BYTES, length - received))
        if not piece:
            raise UploadInterrupted(expected_bytes=length, received_bytes=received)
        received += len(piece)
        yield piece


class View(APIView):
    """Base of views; `self.kwargs` has the variables of the path."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    content_negotiation_class = JsonAlways

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Reject unsupported methods before authentication, and control characters before anything of the path or query
        is looked up.
        """
        if self.route_of(request) is None:
            raise MethodNotAllowed(str(request.method))
        super().initial(request, *args, **kwargs)
        _refuse_control_characters(request, self.kwargs)

    def route_of(self, request: Request) -> Route | None:
        method = str(request.method).lower()
        handler = getattr(self, method, None) if method in self.http_method_names else None
        return getattr(handler, "route", None)

    @classmethod
    def routes(cls) -> Mapping[str, Route]:
        """Return the routes by method."""
        return {name: getattr(cls, name).route for name in cls.http_method_names if hasattr(cls, name)}

    def versioned(self) -> Model | None:
        """Return the resource that If-Match applies to, if it has a generation."""
        return None

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the common response headers. Idempotent: write responses are rendered early and pass here twice."""
        described = self.route_of(request)
        if described is not None:
            for name, text in described.deprecation_headers.items():
                response.headers.setdefault(name, text)
        if isinstance(response, Response) and status.is_success(response.status_code):
            etags.add_etag(response)
        return super().finalize_response(request, response, *args, **kwargs)


def resolve_reference(get: Callable[[str], M], ref: str, *, at: str) -> M:
    """Return the resource that a field of the body names.

    If it does not exist, the body is invalid: the error names the field.
    """
    try:
        return get(ref)
    except NotFound as exc:
        exc.field = at
        raise


def resolve_references(get: Callable[[str], M], refs: Sequence[str], *, at: str) -> tuple[M, ...]:
    """Return the resources in a list of the body; no resource may occur twice, whether by name or by id."""
    rows: dict[Any, M] = {}
    for number, ref in enumerate(refs):
        row = resolve_reference(get, ref, at=f"{at}/{number}")
        if row.pk in rows:
            raise NamedTwice(field=f"{at}/{number}", name=ref)
        rows[row.pk] = row
    return tuple(rows.values())


def is_deleted(rows: QuerySet[M], ref: str) -> bool:
    """Return True if `ref` is the id of a deleted row among these: deleting it again is no error."""
    as_id = as_uuid(ref)
    return as_id is not None and rows.filter(pk=as_id, state="deleted").exists()


def created(document: Mapping[str, Any], *, request: Request) -> Response:
    """Return 201 with the Location of the new resource: its id below the collection."""
    return Response(document, status=201, headers={"Location": f"{request.path}/{document['id']}"})
