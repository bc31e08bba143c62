"""Clones that can't reach real users: rules, masks, the gate for personal data (docs/how-to/mask-clones.md).

It knows tables and columns, and no release. Begin with ``actions``, then ``worklist``.
"""
