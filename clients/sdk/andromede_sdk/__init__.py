"""The Python client of Andromède."""

from typing import TYPE_CHECKING

from andromede_sdk import models
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
from andromede_sdk.lazy_imports import loader

if TYPE_CHECKING:
    from andromede_sdk.client import Client
    from andromede_sdk.resource import NULL, Ask, Listing, Scope
    from andromede_sdk.transport import Retry

__version__ = "0.1.0"

__all__ = [
    "NULL",
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

# httpx and the classes of all models take some tenths of a second to load, so they are loaded on first use.
PLACES = {
    "Ask": "andromede_sdk.resource",
    "Client": "andromede_sdk.client",
    "Listing": "andromede_sdk.resource",
    "NULL": "andromede_sdk.resource",
    "Retry": "andromede_sdk.transport",
    "Scope": "andromede_sdk.resource",
}

if not TYPE_CHECKING:
    __getattr__ = loader(__name__, PLACES)
