from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class EnsureAnnouncementsRequest(_message.Message):
    __slots__ = ("announcements", "keyset", "deny")
    ANNOUNCEMENTS_FIELD_NUMBER: _ClassVar[int]
    KEYSET_FIELD_NUMBER: _ClassVar[int]
    DENY_FIELD_NUMBER: _ClassVar[int]
    announcements: bytes
    keyset: bytes
    deny: bytes
    def __init__(self, announcements: _Optional[bytes] = ..., keyset: _Optional[bytes] = ..., deny: _Optional[bytes] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AnnouncerState(_message.Message):
    __slots__ = ("version", "applied_version", "routes", "sessions", "established_sessions", "problem", "keyset_version", "deny_version", "software_version")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    APPLIED_VERSION_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    ESTABLISHED_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    KEYSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    DENY_VERSION_FIELD_NUMBER: _ClassVar[int]
    SOFTWARE_VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    applied_version: int
    routes: int
    sessions: int
    established_sessions: int
    problem: str
    keyset_version: int
    deny_version: int
    software_version: str
    def __init__(self, version: _Optional[int] = ..., applied_version: _Optional[int] = ..., routes: _Optional[int] = ..., sessions: _Optional[int] = ..., established_sessions: _Optional[int] = ..., problem: _Optional[str] = ..., keyset_version: _Optional[int] = ..., deny_version: _Optional[int] = ..., software_version: _Optional[str] = ...) -> None: ...
