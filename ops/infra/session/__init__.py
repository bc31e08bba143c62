"""The connections, environment, secrets and stores of one inventory, for the time of one call.

Begin with ``session.Session``.
"""
