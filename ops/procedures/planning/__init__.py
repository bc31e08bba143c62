"""Obtain the needs that a procedure declares, and freeze them into ``RunInputs``. Import no definition.

Begin with ``bind``. ``live`` asks the servers for each need; ``page_inputs`` uses placeholders.
"""
