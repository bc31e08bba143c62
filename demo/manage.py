"""Django's manage.py for every release: the current directory decides which one runs.

`cd demo/safe && python ../manage.py migrate` runs the SAFE release, as on a server where each release has its folder.
"""

import os
import sys
from pathlib import Path

DEMO = Path(__file__).resolve().parent


def put_release_first(release: Path) -> None:
    """Make `lessons` come from the release's folder and `school` from demo/."""
    first = [str(release), str(DEMO)]
    sys.path[:] = first + [entry for entry in sys.path if entry not in first]


def main() -> None:
    """Run one management command; say in one line what is wrong with the settings or the folder."""
    release = Path.cwd()
    if not (release / "lessons" / "models.py").is_file():
        sys.exit("manage.py: run me in a release's folder, e.g. cd demo/old && python ../manage.py check")
    put_release_first(release)
    os.environ["DJANGO_SETTINGS_MODULE"] = "school.settings"

    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
