"""The stores of backups (folder, object store, folder behind SSH), manifests and encryption.

Begin with ``base``, the protocol of all kinds; ``open`` opens a store by its address. ``remote_backup`` uploads backups
to a remote store such as S3, and ``working_copy`` uploads all other files of a target (journals, reports,
certificates). ``object_store`` is the client for S3 and similar stores.
"""
