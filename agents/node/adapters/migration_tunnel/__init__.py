"""Migration tunnel: joins the libvirt and QEMU of two nodes through their agents, over one port and TLS.

proxy                at the source: local sockets that lead to the other node
listener             at the destination: accepts expected guests, and leads to the local libvirt and QEMU
pending_connections  limits the connections that are not authenticated yet, in number and time
peer_auth            both ends prove their identity with the certificates of their enrolment
relay                copies bytes both ways between TLS and a local socket
sockets              folders for the sockets of a migration
libvirt_calls        filters the calls that the other node may make to this one's libvirt
"""
