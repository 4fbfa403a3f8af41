"""The SDK for the demo, the benchmarks and the chaos tests, with paths and JSON rather than models."""

from typing import Any

from andromede_sdk import ApiError as ApiError
from andromede_sdk import Ask, Client, NotFound, OperationFailed, WaitTimeout
from andromede_sdk.models import Operation

OPERATION_LIMIT_S = 180


class Api:
    """API client. Paths without a leading slash are below the project. Refusals are ApiError."""

    def __init__(self, url: str, token: str, *, project: str = "") -> None:
        self.url, self.token = url, token
        self.client = Client(url, token, project=project or None)

    def close(self) -> None:
        self.client.close()

    def get(self, path: str, **query: str) -> Any:
        return self.client.scope.document(_ask("GET", path, query=query))

    def text(self, path: str) -> str:
        return self.client.scope.text(_ask("GET", path))

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self.client.scope.document(_ask("POST", path, body=body or {}))

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """Replace the current version, whichever it is."""
        return self.client.scope.document(_ask("PUT", path, body=body, if_match="*"))

    def delete(self, path: str) -> Any:
        return self.client.scope.document(_ask("DELETE", path))

    def delete_if_there(self, path: str) -> None:
        """Delete, and wait until the resource is gone."""
        try:
            answer = self.delete(path)
        except NotFound:
            return
        if answer is not None:
            self.wait(answer["operation"])

    def wait(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Return the operation when it has ended, with any outcome."""
        try:
            ended = Operation.read(operation, self.client.scope).wait(timeout_s=OPERATION_LIMIT_S)
        except OperationFailed as failed:
            ended = failed.operation
        except WaitTimeout as late:
            raise SystemExit(str(late)) from late
        return dict(ended.raw)


def _ask(method: str, path: str, **more: Any) -> Ask:
    return Ask(method, path if path.startswith("/") else f"/v1/projects/{{project}}/{path}", **more)
