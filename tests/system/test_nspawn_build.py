"""`make systemd` where no container can be booted; where one can, it is tests/system/nspawn."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

BUILD = Path(__file__).parents[2] / "scripts" / "nspawn" / "build"
UNABLE = 69


def test_a_machine_that_cannot_boot_a_container_is_told_what_it_needs(tmp_path: Path) -> None:
    for tool in ("bash", "dirname", "uname"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    environment = {"PATH": str(tmp_path), "PYTHON": sys.executable}
    done = subprocess.run([BUILD], env=environment, capture_output=True, text=True)
    assert done.returncode == UNABLE
    assert done.stdout == ""
    assert re.fullmatch(r"nspawn: (needs (root|mmdebstrap)|is made for x86-64).*\n  hint: .+\n", done.stderr), (
        done.stderr
    )
