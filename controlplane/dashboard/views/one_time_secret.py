"""The page of a one-time secret."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from controlplane.dashboard.base_views import Page, Text


def one_time_secret_page(
    page: Page, what: Text, secret: str, *, back: str, lead: Text = "", mail: str = ""
) -> HttpResponse:
    """`mail`: a text that passes it on."""
    page.template = "dashboard/shared/one_time_secret.html"
    return page.page({"what": what, "secret": secret, "back": back, "lead": lead, "mail": mail})


def absolute_url(request: HttpRequest, name: str, **query: str) -> str:
    """Return the absolute URL of a page, to send to another person."""
    return request.build_absolute_uri(reverse(name, query=query))


def invitation_mail(link: str, organization: str, role: Text, until: str) -> str:
    return _(
        "Hello,\n\n"
        "you are invited to the organization {organization} on our cloud, as {role}. To accept, open this link:\n\n"
        "{link}\n\n"
        "It is good once, until {until}, and for you alone: do not pass it on.\n"
    ).format(link=link, organization=organization, role=role, until=until)


def password_mail(link: str, until: str) -> str:
    return _(
        "Hello,\n\n"
        "with this link you choose your password for our cloud:\n\n"
        "{link}\n\n"
        "It is good once, until {until}, and for you alone: do not pass it on. Afterwards, sign in with your e-mail "
        "address.\n"
    ).format(link=link, until=until)
