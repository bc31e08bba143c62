"""What a release declares that it changes or loses (migrations.expect.yaml), and the verdict held against it.

It knows the verdict's model only. Begin with ``expectations``.
"""
