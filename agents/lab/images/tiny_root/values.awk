# Prints the values at the paths that the regular expression `key` matches as a whole.
END {
    for (i = 1; i <= paths; i++)
        if (path[i] ~ "^" key "$") print value[path[i]]
}
