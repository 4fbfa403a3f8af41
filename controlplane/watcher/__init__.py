"""The watcher process: one gRPC stream per node, for heartbeats and guests' state changes."""
