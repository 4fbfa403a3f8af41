"""The accessibility statement of the dashboard."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import PublicPage


class Accessibility(PublicPage):
    """The statement that French law asks for (RGAA 4.1), true of the product as it is shipped."""

    template = "dashboard/accessibility.html"
    title = _("Accessibility statement")

    def context(self) -> dict[str, Any]:
        contact = settings.DASHBOARD_CONTACT
        address = f"mailto:{contact}" if "@" in contact and ":" not in contact else contact
        return {"contact": address, "contact_words": contact}
