"""SQL of the groups that nodes need for ports: those of the ports, and those that rules of these groups name."""

# The ports that nodes carry, as the table `carried`.
CARRIED = """
carried AS (
    SELECT DISTINCT binding.node_id AS node, node.zone_id AS zone, port.id AS port, port.network_id AS network
    FROM network_portbinding AS binding
        JOIN network_port AS port ON port.id = binding.port_id
        JOIN nodes_node AS node ON node.id = binding.node_id
)"""


def needed_groups(location: str) -> str:
    """Return the table `needed_group` of the ports in `carried`. `location`: columns of `carried` that it has too."""
    return f"""
used AS (
    SELECT DISTINCT {location}, of_port.group_id AS id
    FROM carried JOIN network_portsecuritygroup AS of_port ON of_port.port_id = carried.port
), needed_group AS (
    SELECT {location}, id FROM used
    UNION SELECT {location}, rule.peer_group_id
    FROM used JOIN network_securitygrouprule AS rule ON rule.group_id = used.id WHERE rule.peer_group_id IS NOT NULL
)"""
