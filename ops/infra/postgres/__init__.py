"""PostgreSQL's client programs and servers: choice of tools, explanation of errors, settings of every session.

Begin with ``client``.
"""
