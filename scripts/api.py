"""The few calls of the public API that the demo, the benchmarks and the tests of faults need."""

from typing import Any
from urllib.parse import quote

import httpx

OPERATION_LIMIT_S = 180


class Refused(Exception):
    """The API answered with a problem (RFC 9457)."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(f"{problem.get('status')} {problem.get('code')}: {problem.get('detail')}")
        self.problem = problem


class Api:
    """Paths without a leading slash are below the project."""

    def __init__(self, url: str, token: str, *, project: str = "") -> None:
        self.project = f"/v1/projects/{quote(project)}/" if project else ""
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60)

    def close(self) -> None:
        self.http.close()

    def get(self, path: str, **query: str) -> Any:
        return self._call("GET", path, params=query).json()

    def text(self, path: str) -> str:
        return self._call("GET", path).text

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._call("POST", path, json=body or {}).json()

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """In place of whichever version is there."""
        return self._call("PUT", path, json=body, headers={"If-Match": "*"}).json()

    def delete(self, path: str) -> Any:
        answer = self._call("DELETE", path)
        return answer.json() if answer.content else None

    def delete_if_there(self, path: str) -> None:
        """Delete, and wait until it is gone."""
        try:
            answer = self.delete(path)
        except Refused as refused:
            if refused.problem["status"] != httpx.codes.NOT_FOUND:
                raise
        else:
            if answer is not None:
                self.wait(answer["operation"])

    def wait(self, operation: dict[str, Any]) -> dict[str, Any]:
        """The operation when it has ended."""
        for _ in range(OPERATION_LIMIT_S // 10):
            current: dict[str, Any] = self.get(f"operations/{operation['id']}", wait="10s")
            if current["finished_at"] is not None:
                return current
        raise SystemExit(f"The operation {operation['id']} does not end: {current}")

    def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        answer = self.http.request(method, path if path.startswith("/") else self.project + path, **request)
        if answer.is_error:
            raise Refused(answer.json())
        return answer
