# Prints a network-config of version 2 as lines "mac verb argument [argument]" in the order in which they must be obeyed.

function get(what) {
    return value[base what]
}

function each(what, verb,    n) {
    for (n = 0; (base what "/" n) in value; n++) print mac, verb, value[base what "/" n]
}

function route(n,    to) {
    to = get("/routes/" n "/to")
    if (to == "0.0.0.0/0" || to == "::/0") to = "default"
    print mac, "route", to, get("/routes/" n "/via")
}

END {
    for (i = 1; i <= paths; i++) {
        name = path[i]
        sub(/^\/network/, "", name)
        prefix = substr(path[i], 1, length(path[i]) - length(name))
        if (name !~ /^\/ethernets\/[^\/]+\//) continue
        split(name, parts, "/")
        base = prefix "/ethernets/" parts[3]
        if (base in done) continue
        done[base] = 1
        mac = tolower(get("/match/macaddress"))
        if (get("/mtu") != "") print mac, "mtu", get("/mtu")
        each("/addresses", "address")
        for (r = 0; (base "/routes/" r "/via") in value; r++) route(r)
        if (get("/gateway4") != "") print mac, "route", "default", get("/gateway4")
        each("/nameservers/addresses", "dns")
        each("/nameservers/search", "search")
        if (get("/dhcp4") == "true") print mac, "dhcp"
    }
}
