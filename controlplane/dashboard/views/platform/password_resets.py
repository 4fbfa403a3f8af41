"""Password resets: an operator requests one, a second person confirms it and gets the link."""

from functools import cached_property

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from controlplane.dashboard.base_views import Context, FormPage, Page, Text
from controlplane.dashboard.forms import ApiForm
from controlplane.dashboard.views.one_time_secret import absolute_url, one_time_secret_page, password_mail
from controlplane.dashboard.views.organization.members import written


class ResetList(Page):
    template = "dashboard/platform/password_resets.html"
    title = _("Password resets")

    def context(self) -> Context:
        page = self.api.get("password-resets", sort="-created_at", page_token=self.query("page_token"))
        me = self.me["user"]
        resets = [
            each | {"is_ones_own": each["user"] == me, "may_confirm": self.may_confirm(each)} for each in page["items"]
        ]
        return {"resets": resets, "next_page_token": page["next_page_token"]}

    def may_confirm(self, reset: Context) -> bool:
        """Return whether the user can confirm the reset: neither the requester nor the account's user."""
        return reset["confirmed_by"] is None and self.me["user"] not in (reset["user"], reset["asked_by"])


class ResetPage(FormPage):
    @cached_property
    def reset(self) -> Context:
        reset: Context = self.api.get("password-resets", self.kwargs["reset"])
        return reset

    def crumbs(self) -> list[tuple[Text, str]]:
        return [(_("Password resets"), reverse("password-resets"))]


class ResetConfirm(ResetPage):
    template = "dashboard/shared/confirm.html"
    title: Text = _("Confirm password reset")
    submit = _("Confirm and show link")

    def context(self) -> Context:
        lost = _(
            "The link gives access to the account {email}, except for the second factor. Verify by another "
            "channel that the person wants the reset; {asked_by} requested it."
        ).format(email=self.reset["user"]["email"], asked_by=self.reset["asked_by"]["email"])
        kept = _("Second factors are kept. The link becomes valid after a delay, so that the person can object.")
        return {"lost": lost, "kept": kept, "back": reverse("password-resets")}

    def send(self, form: ApiForm) -> HttpResponse:
        confirmed = self.api.post("password-resets", self.kwargs["reset"], "actions", "confirm")
        self.title = _("Password link for {email}").format(email=confirmed["user"]["email"])
        link = absolute_url(self.request, "password", secret=confirmed["secret"])
        lead = _("The link is valid from {moment}.").format(moment=written(confirmed["good_from"]))
        mail = password_mail(link, written(confirmed["expires_at"]))
        return one_time_secret_page(self, _("Link"), link, back=reverse("password-resets"), lead=lead, mail=mail)


class ResetWithdraw(ResetPage):
    template = "dashboard/shared/confirm.html"
    title = _("Withdraw password reset")
    submit = _("Withdraw")

    def context(self) -> Context:
        return {
            "lost": _("The reset and its link become invalid."),
            "kept": _("The password does not change."),
            "back": reverse("password-resets"),
        }

    def send(self, form: ApiForm) -> str:
        self.api.delete("password-resets", self.kwargs["reset"])
        self.notify(_("Reset withdrawn."))
        return reverse("password-resets")
