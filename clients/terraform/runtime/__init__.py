"""Terraform's plugin protocol 6 in Python, independent of any cloud.

diagnostics   messages to the user, with their place in the configuration
values        msgpack and JSON to Python values; UNKNOWN is one of them
schema        types, attributes, schemas
planning      plans a change by the schema alone
provider      base classes of resources, data sources, actions, ephemeral resources, functions
service       the calls of the protocol, in terms of the above
server        the handshake, and the life of the process
"""
