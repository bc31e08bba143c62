"""What a person types and sees: Invoke's tasks, the console, listings and pages.

It may know every other package; none may know it. Begin with ``namespace``, then ``run``; ``console``
prints for a person, ``json_output`` what ``--json`` prints.
"""
