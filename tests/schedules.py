"""A crontab(1) that keeps a file: it behaves as Debian's cron 3.0pl1 does, held against the real one where it is."""

from __future__ import annotations

import sys
from pathlib import Path

# Each answer is that of crontab.c of Debian's cron 3.0pl1-162: `list_cmd` and `delete_cmd` (no crontab for), `main`
# (not allowed), `replace_cmd` (the newline, then the fields by `load_entry`); exit 1 for every error (ERROR_EXIT).
# `-l` spells \r and \b out since 3.0pl1-149 (protect-list.patch); `-e` calls `sh -c "$VISUAL FILE"` with the text as it
# is, and writes nothing where that did not change it (`edit_cmd`).
# The header that it writes into its file is not listed again (CRONTAB_NOHEADER), so none is kept here.
CRONTAB = """#!{python}
import os, pathlib, re, subprocess, sys
kept, denied = (pathlib.Path(__file__).with_name(name) for name in ("kept", "denied"))
def end(said):
    sys.stderr.write(said + "\\n")
    sys.exit(1)
if denied.exists():
    end("You (root) are not allowed to use this program (crontab)\\nSee crontab(1) for more information")
if sys.argv[1:] == ["-l"]:
    if not kept.exists():
        end("no crontab for root")
    sys.stdout.buffer.write(kept.read_bytes().replace(b"\\r", b"\\\\r").replace(b"\\b", b"\\\\b"))
elif sys.argv[1:] == ["-e"]:
    subprocess.run(["/bin/sh", "-c", os.environ["VISUAL"] + " " + str(kept)], check=True)
    sys.stderr.write("No modification made\\n")
elif sys.argv[1:] == ["-r"]:
    if not kept.exists():
        end("no crontab for root")
    kept.unlink()
elif sys.argv[1:] == ["-"]:
    text = sys.stdin.buffer.read()
    if text and not text.endswith(b"\\n"):
        end("new crontab file is missing newline before EOF, can't install.")
    for number, line in enumerate(text.split(b"\\n"), 1):
        bare = line.strip(b" \\t")
        if bare and not bare.startswith(b"#") and not re.match(rb"\\w+\\s*=", bare):
            if not re.match(rb"(@\\w+|([\\w*,/-]+[ \\t]+){{5}})\\s*[^ ]", bare):
                end('"-":%d: bad minute\\nerrors in crontab file, can\\'t install.' % number)
            if len(line) > 1000:
                end('"-":%d: command too long\\nerrors in crontab file, can\\'t install.' % number)
    kept.write_bytes(text)
else:
    end("usage error: unrecognized option")
"""


def write_crontab(folder: Path) -> Path:
    """Put such a program into a folder for PATH; gives the file that holds the crontab."""
    folder.mkdir(exist_ok=True)
    program = folder / "crontab"
    program.write_text(CRONTAB.format(python=sys.executable))
    program.chmod(0o755)
    return folder / "kept"
