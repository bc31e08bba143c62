"""Where backups are kept: a folder, an object store, a folder behind SSH; manifests and encryption. Begin with
``base``, which says what each kind can do; ``open`` picks one by its address.
"""
