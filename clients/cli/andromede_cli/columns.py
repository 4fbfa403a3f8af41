"""Columns that lists of several kinds have."""

from __future__ import annotations

from gettext import gettext as _

from andromede_cli.output import Column

NAME = Column(_("name"), "name")
STATE = Column(_("state"), "state")
LABELS = Column(_("labels"), "labels", is_wide=True)
CREATED = Column(_("created"), "created_at", is_wide=True)
ID = Column("id", "id", is_wide=True)
