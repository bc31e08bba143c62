"""Compare production before, during and after its migrations with the certificate. Begin with ``promotion``."""
