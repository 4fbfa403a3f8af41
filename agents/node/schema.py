"""Tables of the state store, as scripts that each make the next version.

An agent of an earlier release works with a newer schema that only adds tables, and columns with a default: it leaves
them alone. A script that does more raises OLDEST_READER to its own number, so that older agents do not start.
"""

MIGRATIONS = (
    """
    CREATE TABLE resource (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        generation INTEGER NOT NULL,
        phase TEXT NOT NULL CHECK (phase IN ('making', 'present', 'removing', 'removed')),
        wish TEXT CHECK ((wish IS NULL) = (phase = 'removed')),
        PRIMARY KEY (kind, id)
    ) WITHOUT ROWID;
    CREATE INDEX resource_held ON resource (kind) WHERE phase <> 'removed';
    CREATE TABLE use (
        user_kind TEXT NOT NULL,
        user_id TEXT NOT NULL,
        used_kind TEXT NOT NULL,
        used_id TEXT NOT NULL,
        PRIMARY KEY (user_kind, user_id, used_kind, used_id)
    ) WITHOUT ROWID;
    CREATE INDEX use_of ON use (used_kind, used_id);
    CREATE TABLE guest (
        id TEXT PRIMARY KEY,
        restart_count INTEGER NOT NULL,
        has_started INTEGER NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    -- What the node trusts: signed documents, the newest of each kind.
    CREATE TABLE trust (
        kind TEXT PRIMARY KEY CHECK (kind IN ('keyset', 'charter', 'floor', 'facts', 'deny')),
        document BLOB NOT NULL
    ) WITHOUT ROWID;
    -- Single values: high_water and born_at (RFC 3339), last_receipt and acknowledged (numbers of receipts),
    -- lease (JSON: boot_id, until_ms, is_promised).
    CREATE TABLE memory (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
    -- What each permit was used for, until it has ended.
    CREATE TABLE permit_use (
        jti TEXT NOT NULL,
        call TEXT NOT NULL,
        subject TEXT NOT NULL,
        generation INTEGER NOT NULL,
        content TEXT NOT NULL,
        expires_at INTEGER NOT NULL, -- seconds since 1970
        PRIMARY KEY (jti, call, subject, generation)
    ) WITHOUT ROWID;
    CREATE INDEX permit_use_expiry ON permit_use (expires_at);
    -- Receipts that the control plane does not keep yet.
    CREATE TABLE receipt (
        number INTEGER PRIMARY KEY,
        event TEXT NOT NULL,
        document BLOB NOT NULL
    );
    CREATE INDEX receipt_refused ON receipt (event) WHERE event = 'refused';
    -- What was opened by which permit, and is not closed.
    CREATE TABLE opening (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        jti TEXT NOT NULL,
        generation INTEGER NOT NULL,
        PRIMARY KEY (kind, id)
    ) WITHOUT ROWID;
    """,
    """
    -- What is being done under a permit, and has no receipt yet.
    CREATE TABLE intent (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        jti TEXT NOT NULL,
        generation INTEGER NOT NULL,
        PRIMARY KEY (kind, id)
    ) WITHOUT ROWID;
    -- The highest generation of each resource that a permit was used for.
    CREATE TABLE permitted (
        id TEXT PRIMARY KEY,
        generation INTEGER NOT NULL
    ) WITHOUT ROWID;
    INSERT INTO permitted SELECT id, max(generation) FROM resource GROUP BY id;
    """,
    """
    -- How far the last departure of each guest is, or how it ended.
    CREATE TABLE departure (
        id TEXT PRIMARY KEY,
        generation INTEGER NOT NULL,
        phase TEXT NOT NULL CHECK (phase IN ('running', 'completed', 'failed', 'cancelled')),
        reason TEXT NOT NULL,
        total_bytes INTEGER NOT NULL,
        moved_bytes INTEGER NOT NULL,
        pause_ms INTEGER NOT NULL,
        ends_at INTEGER NOT NULL -- seconds since 1970: the deadline
    ) WITHOUT ROWID;
    """,
    """
    -- Volumes may be in a pool; those of before are in the node's own folder.
    UPDATE resource SET wish = json_object(
        'image_sha256', json_extract(wish, '$.image_sha256'),
        'is_taken_over', json('false'),
        'pool', '',
        'size_bytes', json_extract(wish, '$.size_bytes')
    ) WHERE kind = 'volume' AND wish IS NOT NULL;
    """,
    """
    -- Why the agent stopped the guest by itself; empty when it did not.
    ALTER TABLE guest ADD COLUMN stop_reason TEXT NOT NULL DEFAULT '';
    """,
    """
    -- When trust/replay_guard.py, which removes tombstones, first saw this one: in seconds since 1970. A new write of
    -- the row clears it.
    ALTER TABLE resource ADD COLUMN quiet_since INTEGER;
    CREATE INDEX resource_removed ON resource (quiet_since) WHERE phase = 'removed';
    """,
    """
    -- As which user each guest runs; no two share one.
    CREATE TABLE guest_user (
        id TEXT PRIMARY KEY,
        uid INTEGER NOT NULL UNIQUE
    ) WITHOUT ROWID;
    """,
    """
    -- Networks may have several subnets, and ports several addresses; those of before have one each.
    UPDATE resource SET wish = json_object(
        'addresses', json_array(json_extract(wish, '$.ip')),
        'allowed', json_array(),
        'hostname', json_extract(wish, '$.hostname'),
        'id', json_extract(wish, '$.id'),
        'mac', json_extract(wish, '$.mac'),
        'network', json_object(
            'id', json_extract(wish, '$.network.id'),
            'mtu', json_extract(wish, '$.network.mtu'),
            'subnets', json_array(json_object(
                'cidr', json_extract(wish, '$.network.cidr'),
                'dns_servers', json(json_extract(wish, '$.network.dns_servers')),
                'gateway_ip', json_extract(wish, '$.network.gateway_ip')
            ))
        )
    ) WHERE kind = 'port' AND wish IS NOT NULL;
    """,
    """
    -- Whether the guest was handed over before the hypervisor said so.
    ALTER TABLE departure ADD COLUMN is_handed_over INTEGER NOT NULL DEFAULT 0;
    """,
    """
    -- A port may have limits of its bandwidth.
    UPDATE resource SET wish = json_object(
        'addresses', json_extract(wish, '$.addresses'),
        'allowed', json_extract(wish, '$.allowed'),
        'bandwidth', NULL,
        'hostname', json_extract(wish, '$.hostname'),
        'id', json_extract(wish, '$.id'),
        'mac', json_extract(wish, '$.mac'),
        'network', json_extract(wish, '$.network')
    ) WHERE kind = 'port' AND wish IS NOT NULL AND json_type(wish, '$.bandwidth') IS NULL;
    """,
    """
    -- Who in a guest may read its metadata.
    UPDATE resource SET wish = json_set(wish, '$.guest_data', json_object(
        'hostname', json_extract(wish, '$.guest_data.hostname'),
        'metadata', 'token',
        'ssh_public_keys', json(json_extract(wish, '$.guest_data.ssh_public_keys')),
        'user_data', json_extract(wish, '$.guest_data.user_data')
    )) WHERE kind = 'instance' AND wish IS NOT NULL;
    UPDATE resource SET wish = json_set(wish, '$.instance.guest_data', json_object(
        'hostname', json_extract(wish, '$.instance.guest_data.hostname'),
        'metadata', 'token',
        'ssh_public_keys', json(json_extract(wish, '$.instance.guest_data.ssh_public_keys')),
        'user_data', json_extract(wish, '$.instance.guest_data.user_data')
    )) WHERE kind = 'arrival' AND wish IS NOT NULL;
    """,
    """
    -- Guests that were asked to freeze their file systems, and have not been thawed since. `ends_at_ms`: since 1970.
    -- `file_systems`: how many, as the guest says; NULL until it has answered.
    CREATE TABLE freeze (
        id TEXT PRIMARY KEY,
        ends_at_ms INTEGER NOT NULL,
        file_systems INTEGER
    ) WITHOUT ROWID;
    """,
    """
    -- What is frozen of the guest. An agent of an earlier release takes a paused guest for one with frozen file systems
    -- and tries to thaw these until an agent that knows the level is there again, or somebody resumes the guest.
    ALTER TABLE freeze
        ADD COLUMN level TEXT NOT NULL DEFAULT 'file-systems' CHECK (level IN ('file-systems', 'execution'));
    """,
    """
    -- Pivots of guests' disks that were begun, and are not settled: see services/volume_mirrors.py.
    -- `id`: of the volume.
    CREATE TABLE pivot (
        id TEXT PRIMARY KEY,
        instance_id TEXT NOT NULL,
        ran INTEGER NOT NULL -- whether the guest ran before, and is to be resumed
    ) WITHOUT ROWID;
    """,
)
OLDEST_READER = 12  # the first schema whose agents can use the newest one
