#!/bin/sh
# Run once at each boot, by inittab. Lines that begin with "TINY:" tell whoever reads the serial console how far we are.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
SEED=/run/seed
LAST=/var/lib/seed/instance-id

say() { echo "TINY: $*" >/dev/console; }

mount_all() {
    mkdir -p /dev/pts /dev/shm
    mount -t devpts devpts /dev/pts
    mount -t tmpfs -o mode=755 run /run
    mount -t tmpfs tmp /tmp
    ln -s /proc/self/fd /dev/fd
}

load_modules() { # folder
    while read -r module; do
        loaded=${module%.ko}
        [ -d "/sys/module/${loaded//-/_}" ] || insmod "$1/$module" || say "no module $module"
    done <"$1/order"
}

# A disk may be larger than the image that was copied to it.
grow_root() {
    local partition disk sectors start length
    partition=$(awk '$2 == "/" && $3 == "ext4" { print $1 }' /proc/mounts)
    disk=${partition%2}
    read -r sectors <"/sys/class/block/${disk#/dev/}/size"
    read -r start <"/sys/class/block/${partition#/dev/}/start"
    read -r length <"/sys/class/block/${partition#/dev/}/size"
    [ $((sectors - start - length)) -gt 16384 ] || return 0
    echo ", +" | sfdisk --quiet --no-reread --no-tell-kernel --force -N2 "$disk" &&
        resizepart "$disk" 2 $((sectors - start)) &&
        resize2fs "$partition" >/dev/null 2>&1 &&
        say "root grown to $(((sectors - start) / 2048)) MiB"
}

# NoCloud: a disk or CD labelled cidata with up to four files.
read_seed() {
    local device
    mkdir -p "$SEED" /run/medium
    device=$(findfs LABEL=cidata 2>/dev/null || findfs LABEL=CIDATA 2>/dev/null) || return 0
    if ! mount -o ro -t iso9660 "$device" /run/medium 2>/dev/null; then
        load_modules /lib/modules/fat
        mount -o ro -t vfat "$device" /run/medium || return 0
    fi
    for file in meta-data user-data network-config vendor-data; do
        [ ! -f "/run/medium/$file" ] || cp "/run/medium/$file" "$SEED/$file"
    done
    umount /run/medium
}

# The values of a key (a regular expression) of the seed's meta-data.
meta() { [ ! -f "$SEED/meta-data" ] || awk -f /etc/yaml.awk -f /etc/values.awk -v "key=$1" "$SEED/meta-data"; }

name_host() {
    local name
    name=$(meta '/(local-)?hostname' | head -n 1)
    hostname "${name:-tiny}"
    hostname >/etc/hostname
    printf '127.0.0.1 localhost %s\n::1 localhost\n' "$(hostname)" >/etc/hosts
    say "host $(hostname)"
}

# A copy of a disk is another instance: it must not keep its origin's host keys, and runs its own user-data.
notice_new_instance() {
    local id
    id=$(meta /instance-id)
    [ "$id" != "$(cat "$LAST" 2>/dev/null)" ] || return 0
    rm -f /etc/dropbear/*_key
    mkdir -p "${LAST%/*}"
    echo "$id" >"$LAST"
    touch /run/new-instance
    say "instance $id"
}

authorize_keys() {
    mkdir -p -m 700 /root/.ssh
    cat "$SEED/meta-data" "$SEED/user-data" 2>/dev/null |
        grep -oE '(ssh-[a-z0-9]+|ecdsa-sha2-[a-z0-9]+|sk-[a-z0-9@.-]+) AAAA[A-Za-z0-9+/=]+' >/root/.ssh/authorized_keys
    chmod 600 /root/.ssh/authorized_keys
}

device_of() {
    for address in /sys/class/net/*/address; do
        [ "$(cat "$address")" != "$1" ] || basename "${address%/address}"
    done
}

ask_dhcp() {
    ip link set "$1" up
    udhcpc -b -t 5 -T 2 -i "$1" -s /etc/udhcpc.sh -x "hostname:$(hostname)" >/dev/null 2>&1 &
}

configure() { # device verb argument argument
    case $2 in
    mtu) ip link set "$1" mtu "$3" ;;
    address) ip link set "$1" up && ip address add "$3" dev "$1" && say "network $3" ;;
    route) case $4 in
        *:*) ip -6 route add "$3" via "$4" dev "$1" ;;
        *) ip route add "$3" via "$4" dev "$1" ;;
        esac ;;
    dns) echo "nameserver $3" >>/etc/resolv.conf ;;
    search) echo "search $3" >>/etc/resolv.conf ;;
    dhcp) ask_dhcp "$1" ;;
    esac
}

start_network() {
    ip link set lo up
    : >/etc/resolv.conf
    # Addresses are tried for a second before use otherwise, and sshd would miss them.
    echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
    if [ -f "$SEED/network-config" ]; then
        awk -f /etc/yaml.awk -f /etc/network.awk "$SEED/network-config" >/run/network
        while read -r mac verb first second; do
            device=$(device_of "$mac")
            [ -z "$device" ] || configure "$device" "$verb" "$first" "$second"
        done </run/network
    else
        for device in /sys/class/net/*; do
            [ "${device##*/}" = lo ] || ask_dhcp "${device##*/}"
        done
    fi
}

start_ssh() {
    mkdir -p /etc/dropbear
    [ -f /etc/dropbear/dropbear_ed25519_host_key ] ||
        dropbearkey -t ed25519 -f /etc/dropbear/dropbear_ed25519_host_key >/dev/null 2>&1
    dropbear -s -r /etc/dropbear/dropbear_ed25519_host_key
    while ! grep -q ':0016 .* 0A ' /proc/net/tcp /proc/net/tcp6; do usleep 50000; done
    say "ssh ready"
}

mount_all
say "up"
load_modules /lib/modules
acpid  # before all that takes time: whoever presses the power button while we boot is heard
grow_root
read_seed
name_host
notice_new_instance
authorize_keys
start_network
start_ssh
