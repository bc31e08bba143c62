"""Read the YAML inventory into models: targets, stores and applications. Errors name the line.

This package validates keys and values, and queries no server. Begin with ``targets``, then ``load``.
"""
