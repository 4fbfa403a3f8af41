"""A guest that reads its metadata: metadata_client.py SERVER PATH WITHIN_S [SOURCE]

Prints the page, or "silent", "refused" or the status; tries again for WITHIN_S seconds until there is a page.
"""

import sys
import time
from http.client import HTTPConnection, HTTPException

TIMEOUT_S = 1.5
RETRY_DELAY_S = 0.1


def read(server: str, path: str, source: str) -> tuple[str, bool]:
    """Return what is to be printed, and whether it is the page."""
    try:
        token = _request(server, source, "PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        return _request(server, source, "GET", path, {"X-aws-ec2-metadata-token": token}), True
    except TimeoutError:
        return "silent", False
    except (OSError, HTTPException, ValueError) as exc:
        return f"refused ({exc})", False


def _request(server: str, source: str, method: str, path: str, headers: dict[str, str]) -> str:
    connection = HTTPConnection(server, 80, timeout=TIMEOUT_S, source_address=(source, 0) if source else None)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        body = response.read().decode()
        if response.status != 200:
            raise ValueError(response.status)
        return body
    finally:
        connection.close()


def main(server: str, path: str, within_s: str, source: str = "") -> None:
    until = time.monotonic() + float(within_s)
    while True:
        text, is_page = read(server, path, source)
        if is_page or time.monotonic() >= until:
            print(text)
            return
        time.sleep(RETRY_DELAY_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
