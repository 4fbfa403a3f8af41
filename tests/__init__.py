"""Tests. A folder whose tests share a costly fixture (a cloud, a lab) is a package.

A fixture of the package's scope ends with the last of its tests.
"""
