#!/bin/sh
# Called by udhcpc with the lease in its environment.
case $1 in
deconfig)
    ip address flush dev "$interface"
    ip link set "$interface" up
    ;;
bound)
    [ -z "$mtu" ] || ip link set "$interface" mtu "$mtu"
    ip address add "$ip/$mask" dev "$interface"
    for gateway in $router; do ip route add default via "$gateway" dev "$interface"; done
    for server in $dns; do echo "nameserver $server" >>/etc/resolv.conf; done
    [ -z "$domain" ] || echo "search $domain" >>/etc/resolv.conf
    echo "TINY: network $ip/$mask" >/dev/console
    ;;
esac
