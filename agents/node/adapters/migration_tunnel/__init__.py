"""How a guest gets from one node's libvirt and QEMU to another's: through the two agents, over one port and TLS.

passage   at the source: local sockets that lead to the other node
door      at the destination: lets in who is expected, and leads to the local libvirt and QEMU
strangers  how many may be at the door that have not proved anything yet, and for how long
proof     both ends prove who they are, with the certificates of their enrolment
pipe      copies bytes both ways between TLS and a local socket
sockets   where the sockets of a move are
libvirt_calls  the few calls that the other node may make to this one's libvirt
"""
