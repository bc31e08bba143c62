"""Runs, resumes, undoes and renders a procedure: command, step, plan, journal, runner, page.

It knows steps and proofs. It must not know a procedure, a server or a feature. Begin with ``step``, then ``runner``.
"""
