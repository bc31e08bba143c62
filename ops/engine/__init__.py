"""Runs, resumes, undoes and renders a procedure: command, step, plan, journal, runner, page.

It knows steps and their proofs, and should know no procedure, server or feature. Begin with ``step``, then ``runner``.
"""
