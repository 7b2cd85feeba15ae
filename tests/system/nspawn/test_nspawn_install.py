"""`oct-edge service install` and `uninstall` on a machine that boots, and who may do what afterwards."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.nightly]

OCT_EDGE = "/opt/oct-edge/bin/oct-edge"
DATA = "/var/lib/oct-edge"
OPERATE = Path(__file__).parents[3] / "docs" / "operate.md"
REFUSED = 69


def modes(machine: Any, *places: str) -> list[str]:
    return machine.run("stat", "--format", "%U:%G %a %n", *places).stdout.splitlines()


def lines_of(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines()]


@pytest.fixture
def people(serving: Any) -> Any:
    """Anna is a member of the group, Bob is not."""
    serving.run("useradd", "--create-home", "--groups", "oct-edge", "anna")
    serving.run("useradd", "--create-home", "bob")
    return serving


def test_it_makes_user_and_folders_and_starts_nothing_unasked(machine: Any) -> None:
    done = machine.run(OCT_EDGE, "service", "install")
    assert set(lines_of(done.stdout)) == {"written"}
    assert machine.run("getent", "passwd", "oct-edge").stdout.strip().endswith(":/var/lib/oct-edge:/usr/sbin/nologin")
    assert modes(machine, DATA, f"{DATA}/inbox", f"{DATA}/results", f"{DATA}/state") == [
        f"oct-edge:oct-edge 2750 {DATA}",
        f"oct-edge:oct-edge 2770 {DATA}/inbox",
        f"oct-edge:oct-edge 2750 {DATA}/results",
        f"oct-edge:oct-edge 2750 {DATA}/state",
    ]
    assert machine.run("systemctl", "is-enabled", "oct-edge", check=False).stdout.strip() == "disabled"
    assert machine.show("ActiveState") == "inactive"
    assert set(lines_of(machine.run(OCT_EDGE, "service", "install").stdout)) == {"unchanged"}
    machine.run("systemctl", "enable", "--now", "oct-edge")
    assert machine.is_up()


def test_members_of_the_group_copy_scans_in_and_read_answers_and_others_do_nothing(people: Any, samples: list) -> None:
    people.path("/tmp/scan.jpeg").write_bytes(samples[0].read_bytes())
    copy = ("cp", "/tmp/scan.jpeg", f"{DATA}/inbox/")
    assert people.run_as("bob", *copy).returncode != 0
    assert people.run_as("anna", *copy).returncode == 0
    people.until(people.answers)
    (result,) = people.path(f"{DATA}/results").iterdir()
    assert people.run_as("anna", "cat", f"{DATA}/results/{result.name}").stdout == result.read_text()
    assert people.run_as("anna", "rm", f"{DATA}/results/{result.name}").returncode != 0
    assert people.run_as("anna", "touch", f"{DATA}/state/ledger.sqlite3").returncode != 0
    assert people.run_as("bob", "ls", f"{DATA}/results").returncode != 0
    assert modes(people, f"{DATA}/inbox/scan.jpeg")[0].startswith("anna:oct-edge ")
    assert people.run_as("anna", "rm", f"{DATA}/inbox/scan.jpeg").returncode == 0
    for command in ("install", "uninstall"):
        refused = people.run_as("anna", OCT_EDGE, "service", command)
        assert refused.returncode == REFUSED
        assert f"  hint: sudo {OCT_EDGE} service {command}" in refused.stderr
    assert people.is_up()


def test_members_of_the_group_ask_the_ledger_whether_somebody_watches_or_not(people: Any, samples: list) -> None:
    people.put("scan.jpeg", samples[0].read_bytes())
    people.until(people.answers)
    for ended in (None, "KILL", "TERM"):
        if ended:
            people.run("systemctl", "kill", "--signal", ended, "--kill-whom", "main", "oct-edge")
            people.until(lambda: not people.pid())
        asked = people.run_as("anna", OCT_EDGE, "status", "--json")
        assert asked.returncode == 0, asked.stderr
        assert json.loads(asked.stdout)["states"] == {"classified": 1}
        assert "scan.jpeg" in people.run_as("anna", OCT_EDGE, "results").stdout
        assert people.run_as("anna", OCT_EDGE, "audit", "verify").returncode == 0
        assert people.run_as("bob", OCT_EDGE, "status").returncode != 0
        people.run("systemctl", "start", "oct-edge")
    assert people.run_as("anna", OCT_EDGE, "regrade", "--all").returncode == REFUSED
    people.run(OCT_EDGE, "regrade", "--all")
    people.until(lambda: people.show("StatusText").startswith("0 waiting, 1 answered"))


def test_an_uninstallation_leaves_what_was_answered_and_an_installation_goes_on_with_it(
    serving: Any, samples: list
) -> None:
    serving.put("scan.jpeg", samples[0].read_bytes())
    serving.until(serving.answers)
    before = serving.answers()
    serving.override("[Service]", "Nice=5")
    removed = serving.run(OCT_EDGE, "service", "uninstall").stdout
    assert f"kept       {DATA}" in removed
    assert serving.run("systemctl", "is-active", "oct-edge", check=False).stdout.strip() == "inactive"
    assert serving.show("LoadState") == "not-found"
    left = serving.run("find", "/etc", "-path", "*oct-edge*").stdout.split()
    assert left == [f"/etc/systemd/system/oct-edge.service.d{name}" for name in ("", "/override.conf")]
    assert serving.answers() == before
    assert serving.run(OCT_EDGE, "service", "uninstall").stdout.startswith("kept")
    serving.run(OCT_EDGE, "service", "install", "--now")
    serving.until(lambda: serving.show("StatusText").startswith("0 waiting, 0 answered"))
    assert serving.answers() == before
    assert serving.states() == {"classified": 1}
    assert serving.show("Nice") == "5"


def test_with_the_drop_ins_it_starts_on_a_machine_that_has_no_such_devices(machine: Any, samples: list) -> None:
    machine.run(OCT_EDGE, "service", "install", "--coral", "--camera", "--now")
    groups = {machine.run("getent", "group", name).stdout.split(":")[2] for name in ("plugdev", "video")}
    status = machine.path(f"/proc/{machine.pid()}/status").read_text()
    (mine,) = (set(line.split()[1:]) for line in status.splitlines() if line.startswith("Groups:"))
    assert groups < mine
    machine.put("scan.jpeg", samples[0].read_bytes())
    machine.until(machine.answers)


def test_a_command_that_the_service_could_not_see_is_not_installed(machine: Any) -> None:
    for place in ("/root", "/home", "/tmp"):
        machine.run("cp", "--archive", "/opt/oct-edge", f"{place}/oct-edge")
        refused = machine.run(f"{place}/oct-edge/bin/oct-edge", "service", "install", check=False)
        assert refused.returncode == REFUSED
        assert f"{place}/oct-edge/bin/oct-edge: the service does not see" in refused.stderr
    assert not machine.path("/etc/systemd/system/oct-edge.service").exists()


def test_a_service_that_does_not_start_is_said(machine: Any) -> None:
    machine.run(OCT_EDGE, "service", "install")
    machine.override("[Service]", "ExecStart=", "ExecStart=/bin/false")
    failed = machine.run(OCT_EDGE, "service", "install", "--now", check=False)
    assert failed.returncode == REFUSED
    assert "journalctl -u oct-edge.service" in failed.stderr


def test_scans_come_in_and_answers_go_out_over_the_share_that_is_documented(people: Any, samples: list) -> None:
    (shares,) = re.findall(r"^```ini\n(\[oct-inbox\].*?)^```", OPERATE.read_text(), re.DOTALL | re.MULTILINE)
    with people.path("/etc/samba/smb.conf").open("a") as settings:
        settings.write(shares)
    for name in ("anna", "bob"):
        people.run("smbpasswd", "-s", "-a", name, stdin="secret\nsecret\n")
    people.run("systemctl", "start", "smbd")
    checked = people.run("testparm", "--suppress-prompt").stderr
    assert re.findall("Unknown|Ignoring|Invalid|ERROR|WARNING", checked) == [], checked

    def smb(user: str, share: str, command: str) -> subprocess.CompletedProcess[str]:
        return people.run(
            "smbclient", f"//127.0.0.1/{share}", "secret", "--user", user, "--command", command, check=False
        )

    people.path("/tmp/scan.jpeg").write_bytes(samples[0].read_bytes())
    assert "ACCESS_DENIED" in smb("bob", "oct-inbox", "ls").stdout
    assert smb("anna", "oct-inbox", "put /tmp/scan.jpeg scan.jpeg").returncode == 0
    assert modes(people, f"{DATA}/inbox/scan.jpeg") == [f"anna:oct-edge 640 {DATA}/inbox/scan.jpeg"]
    assert smb("anna", "oct-inbox", "put /tmp/scan.jpeg Thumbs.db").returncode != 0
    people.until(people.answers)
    (result,) = people.path(f"{DATA}/results").iterdir()
    assert smb("anna", "oct-results", f"get {result.name} /tmp/answer.json").returncode == 0
    assert people.path("/tmp/answer.json").read_text() == result.read_text()
    assert smb("anna", "oct-results", f"del {result.name}").stdout.count("NT_STATUS_") == 1
    assert result.exists()
    assert smb("anna", "oct-inbox", "del scan.jpeg").returncode == 0
    assert not people.path(f"{DATA}/inbox/scan.jpeg").exists()
