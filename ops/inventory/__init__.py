"""The YAML inventory as models: targets, stores, applications, and errors that name the line.

It knows keys and what they may hold, and asks no server. Begin with ``targets``, then ``load``.
"""
