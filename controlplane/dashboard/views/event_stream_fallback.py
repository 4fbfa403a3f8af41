"""The event stream without a process `stream`: it sends the pending events and ends. Browsers reconnect after some
seconds, so pages update a little later."""

from django.http import HttpRequest, HttpResponse

from controlplane.dashboard.api_client import ApiRequest
from controlplane.dashboard.base_views import Page


class Live(Page):
    def get(self, request: HttpRequest, **path: str) -> HttpResponse:
        query = {"project": self.query("project"), "after": request.headers.get("Last-Event-ID", self.query("after"))}
        answer = self.api.send("GET", ("events", "stream"), ApiRequest(query=query))
        return HttpResponse(answer.data, content_type="text/event-stream")
