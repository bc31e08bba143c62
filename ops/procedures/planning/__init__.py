"""Obtains what procedures declare that they need, and freezes it into ``RunInputs``; knows no definition.

Begin with ``bind``; ``live`` asks the servers for each need, ``page_inputs`` puts placeholders there.
"""
