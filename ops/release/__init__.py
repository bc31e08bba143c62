"""What a release decides: hazards, rehearsal, measures, certificate, window, promotion, the state of production.

It does not know how a backup is made. Begin with ``certificate`` and ``promotion``.
"""
