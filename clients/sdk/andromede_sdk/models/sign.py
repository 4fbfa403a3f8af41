# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass, field

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Methods(Model):
    """Sign-in methods of the user. `is_second_factor_demanded`: by a role of the user."""

    has_password: bool = field(repr=False)
    has_totp: bool
    passkeys: int
    recovery_codes_left: int = field(repr=False)
    is_second_factor_demanded: bool
