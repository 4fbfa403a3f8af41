"""Metrics of the calls to the agent."""

from prometheus_client import Counter, Histogram

CALLS = Counter("andromede_node_calls_total", "Calls answered by the agent.", ["method", "code"])
SECONDS = Histogram(
    "andromede_node_call_duration_seconds",
    "Duration of calls in seconds; of Watch, OpenConsole and OpenTcp, the lifetime of the stream.",
    ["method"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 300, 1800),
)
