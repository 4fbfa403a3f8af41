"""The second check of a start: libvirt asks the agent, through its hook for QEMU guests, before any guest runs.

qemu.sh, client.py what libvirt runs, a shell's head and a Python body in one installed file
script            builds that file and installs it
server            answers the hook inside the agent
state             checks that libvirtd honours the installed hook
"""
