"""Decide about a release: hazards, rehearsal, measurements, certificate, window, promotion, state of production.

This package does not know how a backup is made. Begin with ``certificate``, then ``production.promotion``.
``certificate_validity`` checks whether a certificate has expired.
"""
