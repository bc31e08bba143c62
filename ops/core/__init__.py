"""What every other package may use: errors with exit codes, files written whole, permissions, run ids, YAML with line
numbers.

It knows nothing of a server, a step or a feature, and imports nothing of ours. Begin with ``errors`` and ``files``.
"""
