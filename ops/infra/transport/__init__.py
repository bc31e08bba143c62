"""Run programs on this machine or on a host behind SSH, and forward connections.

Begin with ``local`` and ``ssh``; ``jump_hosts`` handles bastions.
"""
