"""PostgreSQL's client programs and servers: which tools fit, what their errors mean, what every session begins with.

Begin with ``client``.
"""
