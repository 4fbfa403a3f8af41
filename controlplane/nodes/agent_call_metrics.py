"""Metrics of calls to agents: number, outcome and duration. The agents' own metrics have the node."""

from prometheus_client import Counter, Histogram

CALLS = Counter("andromede_agent_calls_total", "Calls to agents.", ["method", "code"])
SECONDS = Histogram(
    "andromede_agent_call_duration_seconds",
    "Duration of calls to agents in seconds.",
    ["method"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 300, 1800),
)
