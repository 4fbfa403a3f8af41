"""The process that calls librbd and librados; the agent itself imports neither. Each call is one function."""
