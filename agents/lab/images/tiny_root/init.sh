#!/bin/busybox sh
# First program of the kernel: finds the root file system on the second partition of the first disk.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev

while read -r module; do
    insmod "/modules/$module" || echo "TINY: no module $module"
done </modules/order

for partition in /dev/vda2 /dev/sda2; do
    if [ -b "$partition" ] && mount -t ext4 "$partition" /root; then
        for place in proc sys dev; do mount --move "/$place" "/root/$place"; done
        exec switch_root /root /sbin/init
    fi
done
echo "TINY: no root file system on /dev/vda2 or /dev/sda2"
exec sh </dev/console >/dev/console 2>&1
