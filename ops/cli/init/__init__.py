"""``generalprobe init``: write ``tasks.py`` and ``inventory.yaml`` for a Django project.

Begin with ``entry`` and ``initialization``. ``discovery`` collects the results of ``manage_file``,
``project_python``, ``settings_source`` and ``settings_probe``. ``choices`` asks for the missing values with
``questions``. ``setup_files`` renders and writes the files.
"""
