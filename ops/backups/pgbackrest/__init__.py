"""Drive pgBackRest, an existing backup engine.

Begin with ``stanza``, then ``actions``.
"""
