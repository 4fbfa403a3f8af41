"""The watcher process: one gRPC stream per node, for heartbeats and what guests do by themselves."""
