"""The second lock on a start: libvirt asks the agent, through its hook for QEMU guests, before any guest runs.

qemu.sh, ask.py   what libvirt runs, a shell's head and a Python body in one installed file
script            makes that file and installs it
server            answers it inside the agent
state             whether the hook that libvirtd honours is the one that was installed
"""
