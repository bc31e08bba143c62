"""Runs programs here or on a host behind SSH, and forwards connections. Begin with ``local`` and ``ssh``;
``jump_hosts`` is the way over a bastion.
"""
