# Reads the part of YAML that seeds are written in (block mappings and lists, flow collections, plain and quoted scalars;
# so JSON as well) into value["/path/of/keys/0/..."], and the paths, in the order of the file, into path[1..paths].

function keep(where, what) {
    path[++paths] = where
    value[where] = what
}

# --- flow collections and quoted scalars, in `text` from position `at`

function skip() {
    while (at <= length(text) && substr(text, at, 1) ~ /[ \t\r\n,]/) at++
}

function quoted(mark,    c, out) {
    for (at++; at <= length(text) && (c = substr(text, at, 1)) != mark; at++) {
        if (c == "\\" && mark == "\"") c = substr(text, ++at, 1)
        out = out c
    }
    at++
    return out
}

function scalar(    c, out) {
    c = substr(text, at, 1)
    if (c == "\"" || c == "'") return quoted(c)
    while (at <= length(text) && (c = substr(text, at, 1)) !~ /[],}\n]/ && substr(text, at, 2) !~ /^:[ \n]/) {
        out = out c
        at++
    }
    sub(/[ \t\r]+$/, "", out)
    return out
}

function flow(where,    c, key, i) {
    skip()
    c = substr(text, at, 1)
    if (c != "{" && c != "[") {
        keep(where, scalar())
        return
    }
    at++
    for (i = 0; ; i++) {
        skip()
        if (at > length(text)) return
        if (substr(text, at, 1) ~ /[]}]/) {
            at++
            return
        }
        key = i
        if (c == "{") {
            key = scalar()
            skip()
            at++ # the colon
        }
        flow(where "/" key)
    }
}

# --- block collections, by indentation: a stack of the columns where keys and dashes stand

function leaf(where, rest) {
    text = rest
    at = 1
    if (rest ~ /^[[{"']/) flow(where)
    else {
        sub(/[ \t]+#.*$/, "", rest)
        keep(where, rest)
    }
}

function parent() {
    return depth ? at_path[depth] : ""
}

function push(col, kind, where) {
    depth++
    column[depth] = col
    kinds[depth] = kind
    at_path[depth] = where
}

function block(rest, col,    key) {
    if (rest ~ /^-( |$)/) {
        while (depth && (column[depth] > col || (column[depth] == col && kinds[depth] == "item"))) depth--
        key = parent()
        push(col, "item", key "/" items[key]++)
        match(rest, /^- */)
        if (RLENGTH < length(rest)) block(substr(rest, RLENGTH + 1), col + RLENGTH)
    } else if (match(rest, /^("[^"]*"|'[^']*'|[^][ "'{},#][^:"'{},]*): */) || match(rest, /^("[^"]*"|[^][ "'{},#][^:"'{},]*):$/)) {
        while (depth && column[depth] >= col) depth--
        key = substr(rest, 1, RLENGTH)
        rest = substr(rest, RLENGTH + 1)
        sub(/: *$/, "", key)
        gsub(/["']/, "", key)
        if (rest == "") push(col, "key", parent() "/" key)
        else leaf(parent() "/" key, rest)
    } else leaf(parent(), rest)
}

{ lines[NR] = $0; all = all $0 "\n" }

END {
    if (all ~ /^[ \t\r\n]*[{[]/) {
        text = all
        at = 1
        flow("")
    } else
        for (i = 1; i <= NR; i++) {
            sub(/[ \t\r]+$/, "", lines[i])
            match(lines[i], /^ */)
            rest = substr(lines[i], RLENGTH + 1)
            if (rest != "" && rest !~ /^(#|---)/) block(rest, RLENGTH)
        }
}
