"""Benchmark of the event stream: many listeners of one project, their idle cost, and the delay of one event.

The floor of the delay is the time of one GET by each reader, one after the other.
"""

import argparse
import asyncio
import time
from urllib.parse import urlsplit

from bench import processes
from bench.common import bench_cloud, print_progress, report, spread
from scripts.api import Api
from scripts.cloud import Cloud

IDLE_S = 30
OPEN_AT_A_TIME = 20
EVENT_LIMIT_S = 60


class Listener:
    """One open stream: `received` is the moment at which the event of `kind` came."""

    def __init__(self, kind: str) -> None:
        self.kind = f"event: {kind}".encode()
        self.received: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def open(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self.reader, self.writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
        self.writer.write(head.encode())
        first = await self.reader.readline()
        if b" 200 " not in first:
            raise SystemExit(f"a stream was refused: {first.decode().strip()}")
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for line in self.reader:
            if line.startswith(self.kind) and not self.received.done():
                self.received.set_result(time.monotonic())

    def close(self) -> None:
        self.task.cancel()
        self.writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=[100, 400])
    counts = parser.parse_args().streams
    with bench_cloud("stream", is_fake=True, nodes=1) as (cloud, api):
        report({str(count): asyncio.run(measure(cloud, api, count)) for count in counts})


async def measure(cloud: Cloud, api: Api, count: int) -> dict[str, object]:
    """Measure streams of a project that has the network `lan`."""
    print_progress(f"{count} streams")
    listeners = [Listener("network.updated") for _ in range(count)]
    gate = asyncio.Semaphore(OPEN_AT_A_TIME)
    empty = processes.read(cloud)["stream"]

    async def open_one(listener: Listener) -> None:
        async with gate:
            await listener.open(f"{cloud.stack.stream_url}/v1/events/stream", api.token)

    begun = time.monotonic()
    await asyncio.gather(*(open_one(listener) for listener in listeners))
    opened_s = time.monotonic() - begun
    before = processes.read(cloud)
    await asyncio.sleep(IDLE_S)
    after = processes.read(cloud)
    received = await one_event(api, listeners)
    for listener in listeners:
        listener.close()
    return {
        "opened_per_s": round(count / opened_s, 1),
        "memory_mib_of_all": round(after["stream"].pss_mib - empty.pss_mib, 1),
        "idle_percent_of_a_core": {
            name: round((after[name].cpu_s - before[name].cpu_s) * 100 / IDLE_S, 1) for name in ("stream", "postgresql")
        },
        "heard_after": spread(received),
        "floor_one_get_each_s": round(await asyncio.to_thread(one_get_each, api, count), 2),
    }


async def one_event(api: Api, listeners: list[Listener]) -> list[float]:
    """Return the seconds from the change until each listener has its event."""
    begun = time.monotonic()
    await asyncio.to_thread(_change, api)
    moments = await asyncio.wait_for(asyncio.gather(*(listener.received for listener in listeners)), EVENT_LIMIT_S)
    return [moment - begun for moment in moments]


def _change(api: Api) -> None:
    api.client.networks.update("lan", labels={"at": str(time.time_ns())})


def one_get_each(api: Api, count: int) -> float:
    """Return the seconds for as many reads of the feed, one after the other over one connection."""
    begun = time.monotonic()
    for _ in range(count):
        api.get("/v1/events", limit="1")
    return time.monotonic() - begun


if __name__ == "__main__":
    main()
