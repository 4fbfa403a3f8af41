"""The storage agent of a Ceph cluster: makes, opens, closes, fences and removes the volumes of its pools.

It holds the only key that can do so. A node gets a key for one volume and one opening, under a signed permit.
"""
