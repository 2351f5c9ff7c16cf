"""Tests of the Azure adapter. (A folder called azure would hide the SDK's.)"""
