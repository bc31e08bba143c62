"""The programs of `scripts/`: the build of a release."""
