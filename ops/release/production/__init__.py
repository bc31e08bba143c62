"""Production before, during and after its migrations, held against the certificate. Begin with ``promotion``."""
