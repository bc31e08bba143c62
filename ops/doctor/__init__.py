"""Check, before a release, everything that a release and a rollback need (``inv doctor``). Checks change nothing.

A check is a function in any module of this package that is decorated with ``check.check``; ``catalog`` collects the
checks. A check may use every feature. Begin with ``check``, then ``connection``.
"""
