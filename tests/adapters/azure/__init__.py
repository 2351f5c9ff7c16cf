"""Tests of the Azure adapter. (A folder called azure would stand in the SDK's own way.)"""
