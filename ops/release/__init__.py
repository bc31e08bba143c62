"""What a release decides: hazards, rehearsal, measures, certificate, window, promotion, the state of production.

It does not know how a backup is made. Begin with ``certificate``, then ``production.promotion``;
``certificate_validity`` says whether a certificate has expired.
"""
