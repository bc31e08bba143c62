"""``inv doctor``: everything that must be right before the night, looked at by day. Only reads.

A check is data (``ops.doctor.check``); the list of them is ``ops.doctor.catalog``.
"""
