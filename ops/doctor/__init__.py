"""``inv doctor``: everything that must be right before the night, looked at by day. Only reads.

A check is a function that ``ops.doctor.check.check`` decorates, in any module of this package; ``ops.doctor.catalog``
collects them.
"""
