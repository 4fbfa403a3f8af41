#!/bin/sh
# Run a user-data script once per instance, after the boot script, as cloud-init does.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root
[ -f /run/new-instance ] && [ "$(head -c 2 /run/seed/user-data 2>/dev/null)" = "#!" ] || exit 0
cp /run/seed/user-data /var/lib/seed/user-data
chmod 700 /var/lib/seed/user-data
cd /root || exit 1
/var/lib/seed/user-data >/var/log/user-data.log 2>&1
echo "TINY: user-data ended with $?" >/dev/console
