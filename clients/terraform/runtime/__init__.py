"""Terraform's plugin protocol 6 in Python. It knows nothing of any cloud.

diagnostics   what is said to the user, and where in the configuration
values        msgpack and JSON to Python values; UNKNOWN is one of them
schema        types, attributes, schemas
planning      what a change would be, by the schema alone
provider      what a provider writes: resources, data sources, actions, ephemeral resources, functions
service       the remote calls, in terms of the above
server        the handshake, and the process's life
"""
