"""Requests, framing and parsing without any input or output.

A plan is a generator: it yields steps (core/steps.py), which somebody else takes, blocking or not, and returns what
came of them. So everything that is decided is decided once, for Client and AsyncClient.
"""
