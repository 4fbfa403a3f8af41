"""The Python client of Andromède."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from andromede_sdk.errors import (
    AndromedeError,
    ApiError,
    BadRequest,
    Conflict,
    FieldError,
    Forbidden,
    InsufficientCapacity,
    MalformedAnswer,
    NameTaken,
    NotFound,
    OperationCancelled,
    OperationFailed,
    PolicyUnsatisfiable,
    PreconditionFailed,
    PreconditionRequired,
    ProjectNeeded,
    QuotaExceeded,
    ResourceBusy,
    ServerError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unprocessable,
    Unreachable,
    WaitTimeout,
)

if TYPE_CHECKING:
    from andromede_sdk import models
    from andromede_sdk.client import Client
    from andromede_sdk.resource import Ask, Listing, Scope
    from andromede_sdk.transport import VERSION as __version__
    from andromede_sdk.transport import Retry

__all__ = [
    "AndromedeError",
    "ApiError",
    "Ask",
    "BadRequest",
    "Client",
    "Conflict",
    "FieldError",
    "Forbidden",
    "InsufficientCapacity",
    "Listing",
    "MalformedAnswer",
    "NameTaken",
    "NotFound",
    "OperationCancelled",
    "OperationFailed",
    "PolicyUnsatisfiable",
    "PreconditionFailed",
    "PreconditionRequired",
    "ProjectNeeded",
    "QuotaExceeded",
    "ResourceBusy",
    "Retry",
    "Scope",
    "ServerError",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "Unprocessable",
    "Unreachable",
    "WaitTimeout",
    "__version__",
    "models",
]

_LATER = {
    "Ask": ("resource", "Ask"),
    "Client": ("client", "Client"),
    "Listing": ("resource", "Listing"),
    "Retry": ("transport", "Retry"),
    "Scope": ("resource", "Scope"),
    "__version__": ("transport", "VERSION"),
}


def __getattr__(name: str) -> Any:
    """httpx and the classes of all models take some tenths of a second to load: who needs them pays for them."""
    if name == "models":
        return import_module("andromede_sdk.models")
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LATER[name]
    return getattr(import_module(f"andromede_sdk.{module}"), attribute)
