"""``generalprobe init``: makes ``tasks.py`` and ``inventory.yaml`` for a Django project.

Begin with ``entry`` and ``initialization``. ``discovery`` collects what ``manage_file``, ``project_python``,
``settings_source`` and ``settings_probe`` find, ``choices`` asks for the rest by ``questions``, and ``setup_files``
makes the texts of the files.
"""
