"""Errors of requests that no app has handled yet."""

from controlplane.kernel.errors import CloudError, InvalidRequest, NotFound, TooMany


class RouteNotFound(NotFound):
    code = "route_not_found"
    title = "No such route"
    detail = "There is nothing at {path!r}. GET /v1/openapi.json lists all routes."


class ProblemNotFound(NotFound):
    code = "problem_not_found"
    title = "No such error code"
    detail = "There is no error code {name!r}. docs/reference/errors.md lists them."


class MethodNotAllowed(CloudError):
    code = "method_not_allowed"
    title = "Method not allowed"
    detail = "{method} is not possible here; {allowed} are."


class MediaTypeNotSupported(CloudError):
    code = "media_type_not_supported"
    title = "Media type not supported"
    detail = "The body's media type is {media_type!r}; send application/json, or application/octet-stream for a file."


class BodyMalformed(InvalidRequest):
    code = "body_malformed"
    title = "Malformed body"
    detail = "The body is no acceptable JSON: {reason}"


class RequestMalformed(InvalidRequest):
    code = "request_malformed"
    title = "Malformed request"
    detail = "The request is malformed, or addressed to a host that is not this one."


class TooManyRequests(TooMany):
    code = "too_many_requests"
    title = "Too many requests"
    detail = "There were more than {limit} requests of this kind in a minute. Go on in {retry_after_s} seconds."
    retryable = True
