"""The gRPC side of the agent: wishes are parsed, authority is checked, errors become status codes."""
