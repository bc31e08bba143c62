"""Defang clones so that they cannot reach real people: rules, masks, the gate for personal data.

See docs/how-to/mask-clones.md. The package knows tables and columns, and no release. Begin with ``actions``, then
``worklist``.
"""
