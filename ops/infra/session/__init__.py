"""The connections, environment, secrets and stores of one inventory, for one call of ``inv``.

Begin with ``session.Session``.
"""
