"""``inv doctor``: everything that must be right before the night, looked at by day. Only reads.

A check is a function that ``check.check`` decorates, in any module of this package; ``catalog`` collects them. It may
ask every feature. Begin with ``check``, then ``connection``.
"""
