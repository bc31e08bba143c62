"""Where backups are kept: a folder, an object store, a folder behind SSH; manifests and encryption. Begin with
``base``, which says what each kind can do; ``open`` picks one by its address.

What is sent to S3 or another remote store: backups by ``remote_backup``, and everything else of a target (journals,
reports, certificates) by ``working_copy``; ``object_store`` speaks with S3 itself.
"""
