"""Errors of requests that no app has handled yet."""

from controlplane.kernel.errors import CloudError, InvalidRequest, NotFound, TooMany


class RouteNotFound(NotFound):
    code = "route_not_found"
    title = "No such route"
    detail = "The API has no route {path!r}. GET /v1/openapi.json lists all routes."


class ProblemNotFound(NotFound):
    code = "problem_not_found"
    title = "No such error code"
    detail = "There is no error code {name!r}. docs/reference/errors.md lists them."


class MethodNotAllowed(CloudError):
    code = "method_not_allowed"
    title = "Method not allowed"
    detail = "This path does not support {method}. Use one of: {allowed}."


class MediaTypeNotSupported(CloudError):
    code = "media_type_not_supported"
    title = "Media type not supported"
    detail = "The body's media type is {media_type!r}; send application/json, or application/octet-stream for a file."


class BodyMalformed(InvalidRequest):
    code = "body_malformed"
    title = "Malformed body"
    detail = "The body is not valid JSON: {reason}"


class RequestMalformed(InvalidRequest):
    code = "request_malformed"
    title = "Malformed request"
    detail = "The request is malformed, or its Host header does not name this server."


class TooManyRequests(TooMany):
    code = "too_many_requests"
    title = "Too many requests"
    detail = "There were more than {limit} requests of this kind in a minute. Try again in {retry_after_s} seconds."
    retryable = True
