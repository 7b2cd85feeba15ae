"""`oct-edge service install | uninstall | print`, below a root and from wherever the package is; nothing is started."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from oct_edge.errors import InstallationFailed
from oct_edge.units import shipped

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("oct-edge")
UNIT = Path("etc/systemd/system/oct-edge.service")
CORAL = Path("etc/systemd/system/oct-edge.service.d/coral.conf")
CAMERA = Path("etc/systemd/system/oct-edge.service.d/camera.conf")
CONFIGURATION = Path("etc/oct-edge/oct-edge.toml")
ALWAYS = {UNIT, Path("etc/sysusers.d/oct-edge.conf"), Path("etc/tmpfiles.d/oct-edge.conf"), CONFIGURATION}
EXAMPLE = "# an example\n"
CHECKOUT, WHEEL = "systemd", "edge/oct_edge/systemd"
Package = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def package(request: pytest.FixtureRequest, tmp_path: Path) -> Package:
    """Run a copy of the package, with an example of a configuration; its unit files are where a checkout has them."""
    source = tmp_path / "copy" / "edge"
    shutil.copytree(ROOT / "edge", source)
    units = source.parent / getattr(request, "param", CHECKOUT)
    shutil.copytree(ROOT / "systemd", units)
    (units / CONFIGURATION.name).write_text(EXAMPLE)
    environment = os.environ | {"PYTHONPATH": f"{source}:{os.environ.get('PYTHONPATH', '')}"}

    def run(*arguments: object, under: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [*under, str(COMMAND), "service", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def files(root: Path) -> dict[Path, str]:
    return {path.relative_to(root): path.read_text() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("package", [CHECKOUT, WHEEL], indirect=True)
def test_an_installation_writes_the_unit_for_the_command_that_runs_and_what_it_needs(
    package: Package, root: Path
) -> None:
    done = package("install", "--root", root)
    assert done.returncode == 0, done.stderr
    assert set(files(root)) == ALWAYS
    assert sorted(done.stdout.splitlines()) == sorted(f"written    {root / place}" for place in ALWAYS)
    shipped = (ROOT / "systemd" / UNIT.name).read_text()
    assert files(root)[UNIT] == shipped.replace("=/opt/oct-edge/bin/oct-edge ", f"={COMMAND} ")
    assert f"\nExecStart={COMMAND} watch " in files(root)[UNIT]


def test_a_second_installation_changes_nothing(package: Package, root: Path) -> None:
    package("install", "--root", root, "--coral")
    before = {place: (root / place).stat().st_ino for place in files(root)}
    done = package("install", "--root", root)
    assert set(done.stdout.splitlines()) == {f"unchanged  {root / place}" for place in before}
    assert {place: (root / place).stat().st_ino for place in files(root)} == before


def test_drop_ins_come_and_go_when_asked_for_and_stay_otherwise(package: Package, root: Path) -> None:
    for options, expected in (
        ([], set()),
        (["--coral", "--camera"], {CORAL, CAMERA}),
        ([], {CORAL, CAMERA}),
        (["--no-coral"], {CAMERA}),
        (["--no-camera"], set()),
    ):
        assert package("install", "--root", root, *options).returncode == 0
        assert set(files(root)) == ALWAYS | expected


def test_what_an_earlier_release_wrote_is_brought_up_to_date(package: Package, root: Path) -> None:
    package("install", "--root", root, "--camera")
    current = files(root)
    for place in (UNIT, CAMERA):
        (root / place).write_text("[Service]\nNice=5\n")
    done = package("install", "--root", root)
    assert {line.split()[1] for line in done.stdout.splitlines() if line.startswith("written")} == {
        str(root / UNIT),
        str(root / CAMERA),
    }
    assert files(root) == current


def test_a_changed_configuration_is_neither_written_over_nor_removed(package: Package, root: Path) -> None:
    package("install", "--root", root)
    assert files(root)[CONFIGURATION] == EXAMPLE
    (root / CONFIGURATION).write_text("# mine\n")
    for command in ("install", "uninstall", "install"):
        done = package(command, "--root", root)
        assert f"kept       {root / CONFIGURATION}\n" in done.stdout
        assert files(root)[CONFIGURATION] == "# mine\n"


def test_an_uninstallation_removes_what_was_written_and_nothing_else(package: Package, root: Path) -> None:
    own = {CORAL.with_name("override.conf"): "[Service]\n", Path("var/lib/oct-edge/inbox/scan.jpeg"): "scan"}
    for place, text in own.items():
        (root / place).parent.mkdir(parents=True)
        (root / place).write_text(text)
    package("install", "--root", root, "--coral", "--camera")
    done = package("uninstall", "--root", root)
    assert done.returncode == 0, done.stderr
    assert files(root) == own
    assert not (root / CONFIGURATION).parent.exists()
    assert done.stdout.splitlines()[-1].startswith(f"kept       {root / 'var/lib/oct-edge'}: scans, results and ledger")
    assert package("uninstall", "--root", root).stdout.splitlines() == done.stdout.splitlines()[-1:]


def test_everyone_may_read_what_is_written_whatever_the_umask_is(package: Package, root: Path) -> None:
    package("install", "--root", root, "--coral", under=("sh", "-c", 'umask 077; exec "$@"', "-"))
    assert {path.stat().st_mode & 0o777 for path in root.rglob("*")} == {0o644, 0o755}


def test_what_is_printed_is_what_would_be_written(package: Package, root: Path) -> None:
    package("install", "--root", root, "--coral", "--camera")
    printed = package("print", "--coral", "--camera").stdout
    assert printed == "".join(f"# /{place}\n{files(root)[place]}\n" for place in (UNIT, CORAL, CAMERA))
    assert package("print").stdout == f"# /{UNIT}\n{files(root)[UNIT]}\n"


def test_a_folder_that_cannot_be_written_is_named(package: Package, root: Path) -> None:
    (root / "etc").touch()
    done = package("install", "--root", root)
    assert done.returncode == 69
    assert done.stderr.splitlines()[-2].startswith(f"error [installation_failed]: {root}/etc/")


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_who_is_not_root_is_told_what_to_type(package: Package, command: str) -> None:
    done = package(command, under=() if os.geteuid() else ("unshare", "--user"))
    assert done.returncode == 69
    assert done.stdout == ""
    assert f"  hint: sudo {COMMAND} service {command}\n" in done.stderr


@pytest.mark.parametrize("options", [["--root", "missing"], ["--root", ".", "--now"]])
def test_options_that_make_no_sense_are_a_usage_error(package: Package, options: list[str]) -> None:
    assert package("install", *options).returncode == 2


@pytest.mark.parametrize("place", ["/home/pi/venv", "/root/venv", "/tmp/venv", "/run/user/1000/venv"])
def test_what_the_unit_hides_from_the_service_is_not_installed(place: str) -> None:
    with pytest.raises(InstallationFailed, match=place):
        shipped.require_visible(Path(place, "bin", "oct-edge"))


def test_a_program_with_any_name_that_systemd_takes_is_found_by_it(tmp_path: Path, root: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    program = tmp_path / "100% $HOME %n" / "oct-edge"
    program.parent.mkdir()
    shutil.copy(COMMAND, program)
    subprocess.run([program, "service", "install", "--root", root], check=True, capture_output=True)
    verify = ["systemd-analyze", "verify", "--man=no", root / UNIT]
    assert subprocess.run(verify, capture_output=True, text=True).stderr == ""
    program.unlink()
    assert f"Command {program} is not executable" in subprocess.run(verify, capture_output=True, text=True).stderr


@pytest.mark.parametrize("name", ["it's", 'a "venv"', "back\\slash", "new\nline"])
def test_a_program_with_a_name_that_systemd_refuses_is_refused(name: str) -> None:
    with pytest.raises(InstallationFailed, match="systemd takes no program"):
        shipped.files(Path("/opt", name, "oct-edge"), [])


@pytest.mark.nightly
def test_a_wheel_in_an_environment_of_its_own_has_all_it_needs(tmp_path: Path, root: Path) -> None:
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    command = tmp_path / "venv" / "bin" / "oct-edge"
    constraints = ROOT / "constraints" / "edge.txt"
    subprocess.run([command.with_name("pip"), "install", "-q", "-c", constraints, wheel], check=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    options = ["install", "--root", root, "--coral", "--camera"]
    subprocess.run([command, "service", *options], check=True, env=environment, capture_output=True)
    assert {UNIT, CORAL, CAMERA} < set(files(root))
    assert f"\nExecStart={command} watch " in files(root)[UNIT]
    shown = subprocess.run([command, "service", "print"], check=True, env=environment, capture_output=True, text=True)
    assert shown.stdout == f"# /{UNIT}\n{files(root)[UNIT]}\n"
