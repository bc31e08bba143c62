"""Read the declarations of a release (migrations.expect.yaml) and compare the verdict with them.

This package uses only the verdict's model. Begin with ``expectations``.
"""
