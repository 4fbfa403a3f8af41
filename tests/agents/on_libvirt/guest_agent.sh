#!/bin/sh
# A guest agent for tests, which speaks as much of QEMU's protocol as freezing takes, and behaves as its argument says.
# What it does appears on the console.
for port in /sys/class/virtio-ports/*; do
    [ "$(cat "$port/name")" != org.qemu.guest_agent.0 ] || device=/dev/${port##*/}
done
echo $$ >/run/guest-agent.pid
exec 3<>"$device"

answer() { printf '%s\n' "$1" >&3; }
say() { echo "AGENT: $*" >/dev/console; }

freeze() {
    case $1 in
    refusing) answer "{\"error\": {\"class\": \"GenericError\", \"desc\": \"$(cat /run/refusal)\"}}" ;;
    wordy) answer '{"return": "all of them"}' ;;
    endless) exec tr '\0' x </dev/zero >&3 ;;
    *) fsfreeze --freeze / && say frozen && [ "$1" = late ] || answer '{"return": 1}' ;;
    esac
}

thaw() {
    if fsfreeze --unfreeze / 2>/dev/null; then
        say thawed
        answer '{"return": 1}'
    else
        answer '{"return": 0}'
    fi
}

say "is $1"
[ "$1" != silent ] || exec sleep 86400
while :; do
    if ! read -r line <&3; then
        usleep 50000 # nobody has connected to the other end yet
        continue
    fi
    case $line in
    *guest-sync*)
        id=${line##*:}
        answer "{\"return\": ${id%%\}*}}"
        ;;
    *guest-fsfreeze-freeze*) freeze "$1" ;;
    *guest-fsfreeze-thaw*) thaw ;;
    *) answer '{"error": {"class": "CommandNotFound", "desc": "unknown"}}' ;;
    esac
done
