"""The quick starts of orgsim/README.md, pasted as they are written there."""

import os
import re
import subprocess
import sys
from pathlib import Path

# What runs a block of a language, and the file that it is pasted into.
RUN = {"js": ("quick.mjs", ["node"]), "py": ("quick.py", ["python3", "-W", "ignore"]), "sh": ("quick.sh", ["sh", "-eu"])}
LINES_MOST = 10
SECONDS_MOST = 120


def blocks(readme):
    """Heading, language and text of each block that stands below a heading of its own."""
    part = readme.split("## Ten lines with the client that you know", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^### (.+?)\n.*?^```(\w+)\n(.*?)^```", part, re.M | re.S)


def main():
    readme, there = Path(sys.argv[1]), Path(sys.argv[2])
    there.mkdir(exist_ok=True)
    (there / "ready.json").write_text(os.environ["ORGSIM_READY"])
    found = blocks(readme.read_text())
    assert len(found) == 4, [name for name, *_ in found]
    for name, language, text in found:
        assert text.count("\n") <= LINES_MOST, f"{name}: more than {LINES_MOST} lines"
        file, command = RUN[language]
        (there / file).write_text(text)
        ran = subprocess.run([*command, file], cwd=there, capture_output=True, text=True, timeout=SECONDS_MOST)
        assert ran.returncode == 0 and "Acme" in ran.stdout, f"{name}: {ran.stdout}{ran.stderr}"
        print(f"{name}: an account came back")


main()
