#!/bin/sh
# libvirt's hook for QEMU guests, installed by "python -m agents.node.hook install"; changes are noticed and reported.
# Called by libvirtd:  qemu GUEST OPERATION SUB-OPERATION EXTRA  with the guest's XML on standard input.
# It may not call libvirt, which waits for its end.

ask() {
    /usr/bin/python3 -IS /dev/fd/3 "$@" 3<<'PYTHON'
@ASK@
PYTHON
}

case "$2/$3" in
prepare/begin | start/begin | restore/begin | migrate/begin)
    # No answer is a refusal.
    ask "$@" || exit 1
    ;;
*)
    # News only, and nobody waits for it. A failure here would kill guests that run: libvirt ends those whose "reconnect"
    # or "started" fails.
    trap 'exit 0' EXIT
    exec 4<&0
    (
        exec <&4 >/dev/null 2>&1
        ask "$@"
    ) &
    exit 0
    ;;
esac
