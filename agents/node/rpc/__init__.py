"""The gRPC side of the agent: parse specs, check permits, map errors to status codes."""
