"""Settings: who wins, and what is refused with which words."""

import logging
from pathlib import Path
from typing import Any

import pytest

from oct_edge.config.keys import FLAGS, KEYS, VARIABLES
from oct_edge.config.load import NO_SETTINGS, Sources
from oct_edge.config.loaded import Loaded
from oct_edge.config.tree import Config, Output, Source
from oct_edge.console import DEBUG_VARIABLE
from oct_edge.errors import SettingsRefused
from oct_edge.naming import NAMES
from oct_edge.prior import EXAMPLE, WRONG
from oct_edge.runtime import KINDS
from oct_edge.watch import GIVE_UP
from oct_models import DEFAULT

PLACES = '[source]\ninbox = "/scans"\n[output]\nfolder = "/results"\n'


class Place:
    """A file at the usual place and an environment; nothing of this machine's."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "oct-edge.toml"

    def load(
        self, text: str | None = None, flags: dict[str, Any] | None = None, *, file: Path | None = None, **environ: str
    ) -> Loaded:
        if text is not None:
            self.path.write_text(text)
        return Sources(flags or {}, file, environ, usual=self.path).load()

    def mistakes(self, text: str | None = None, flags: dict[str, Any] | None = None, **environ: str) -> list[str]:
        """What is said, without the path of the file."""
        with pytest.raises(SettingsRefused) as refused:
            self.load(text, flags, **environ).config()
        return [message.replace(str(self.path), "file") for message in refused.value.messages()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_is_not_set_has_its_default(place: Place) -> None:
    config = place.load(PLACES).config()
    assert config == Config(source=Source(inbox=Path("/scans")), output=Output(folder=Path("/results")))
    assert (config.source.stable, config.quarantine.mode, config.retention.days) == (2.0, "note", None)
    assert config.state_folder == Path("/results.state")


def test_flags_win_over_variables_and_variables_over_the_file(place: Place) -> None:
    loaded = place.load(
        f'{PLACES}[log]\nlevel = "error"\nformat = "json"\n[model]\nthreads = 1\n',
        {"model.threads": 3, "source.stable": None},
        OCT_EDGE_LOG_LEVEL="debug",
        OCT_EDGE_MODEL_THREADS="2",
        OCT_EDGE_SOURCE_STABLE="0",
    )
    config = loaded.config()
    assert (config.log.format, config.log.level, config.model.threads, config.source.stable) == ("json", "debug", 3, 0)
    assert {name: found.origin.replace(str(place.path), "file") for name, found in loaded.values.items()} == {
        **dict.fromkeys(KEYS, "default"),
        "source.inbox": "file:2",
        "output.folder": "file:4",
        "log.format": "file:7",
        "log.level": "OCT_EDGE_LOG_LEVEL",
        "model.threads": "--threads",
        "source.stable": "OCT_EDGE_SOURCE_STABLE",
    }


def test_variables_and_flags_do_without_a_file_and_may_be_relative(place: Place) -> None:
    config = place.load(None, {"output.folder": Path("results")}, OCT_EDGE_SOURCE_INBOX="scans").config()
    assert (config.source.inbox, config.output.folder) == (Path("scans"), Path("results"))
    assert config.state_folder == Path("results.state").absolute()


def test_an_empty_variable_is_one_that_is_not_set(place: Place) -> None:
    assert place.load(PLACES, OCT_EDGE_SOURCE_INBOX="", OCT_EDGE_CONFIG="", OCT_EDGE_FOO="").config()


def test_variables_that_are_no_settings_are_let_through(place: Place) -> None:
    assert {DEBUG_VARIABLE, "OCT_EDGE_NATIVE_LOGS", "OCT_EDGE_CONFIG"} == NO_SETTINGS
    assert place.load(PLACES, OCT_EDGE_DEBUG="1", OCT_EDGE_NATIVE_LOGS="1").config()


def test_a_file_that_is_named_has_to_be_there_and_the_usual_one_need_not(place: Place, tmp_path: Path) -> None:
    assert place.load().file is None
    other = tmp_path / "other.toml"
    assert place.mistakes(OCT_EDGE_CONFIG=str(other)) == [f"{other}: there is no such file."]
    other.write_text(PLACES.replace("/scans", "/others"))
    assert place.load(PLACES, OCT_EDGE_CONFIG=str(other)).config().source.inbox == Path("/others")
    assert place.load(PLACES, OCT_EDGE_CONFIG="nowhere", file=other).config().source.inbox == Path("/others")


def test_what_has_to_be_set_is_asked_for_by_all_its_names(place: Place) -> None:
    assert place.mistakes('[source]\ninbox = "/scans"\n') == [
        "file: output.folder is missing; OCT_EDGE_OUTPUT_FOLDER or --output on the command line would do too."
    ]
    place.path.unlink()
    assert place.mistakes(None, {"output.folder": Path("x")}) == [
        "settings: source.inbox is missing; OCT_EDGE_SOURCE_INBOX or INBOX on the command line would do too."
    ]


def test_all_mistakes_are_told_at_once_each_with_its_place(place: Place) -> None:
    text = """\
inbox = "/a"
[source]
inbox = "scans"
stable = "fast"

intervall = 3
interval = true
kind = "camera"
[output]
folder = { x = 1 }
[model]
threads = 0
name = "models/mine.tflite"
[log]
level = [1,
2]
[sorce]
events = "poll"
[[metrics]]
textfile = "/x"
[weather]
"""
    assert place.mistakes(text, OCT_EDGE_INBOX="/a", OCT_EDGE_MODEL_THREADS="2.5", OCT_EDGE_SOURCE_STABLE="nan") == [
        "file:1: inbox is no setting; the nearest is source.inbox.",
        'file:3: source.inbox has to be a whole path, which begins with /, not "scans".',
        'file:4: source.stable has to be a number, not "fast".',
        "file:6: source.intervall is no setting; the nearest is source.interval.",
        "file:7: source.interval has to be a number, not true.",
        'file:8: source.kind cannot be "camera" in this release; it has to be folder.',
        "file:10: output.folder has to be the path of a file or folder, not a table.",
        "file:12: model.threads has to be 1 to 64, not 0.",
        'file:13: model.name has to be a whole path, which begins with /, not "models/mine.tflite".',
        "file:15: log.level has to be debug, info, warning or error, not a list.",
        "file:18: sorce.events is no setting; the nearest is source.events.",
        "file:19: metrics has to be a table of keys, below a line [metrics].",
        "file:21: weather is no setting.",
        "OCT_EDGE_INBOX: is no setting; the nearest is OCT_EDGE_SOURCE_INBOX.",
        "OCT_EDGE_MODEL_THREADS: model.threads has to be a whole number, not 2.5.",
        "OCT_EDGE_SOURCE_STABLE: source.stable has to be 0 or more, not NaN.",
    ]


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        ("output.interval", "source.interval"),
        ("log.folder", "output.folder"),
        ("level", "log.level"),
        ("source.giveup", "source.give_up"),
        ("Source.Inbox", "source.inbox"),
        ("metrics.file", "metrics.textfile"),
        ("state.dir", "state.folder"),
        ("mail.to", None),
    ],
)
def test_what_is_no_setting_is_told_with_the_one_that_was_meant(place: Place, unknown: str, meant: str | None) -> None:
    section, _, field = unknown.rpartition(".")
    told = f"{unknown} is no setting{f'; the nearest is {meant}' if meant else ''}."
    assert f"file:2: {told}" in place.mistakes(f"[{section}]\n{field} = 1\n" if section else f"\n{field} = 1\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stable = inf", "source.stable has to be 0 or more, not Infinity"),
        ("stable = -1", "source.stable has to be 0 or more, not -1.0"),
        ("interval = 0", "source.interval has to be 0.05 or more, not 0.0"),
        (f"interval = 1{'0' * 400}", "source.interval has to be 0.05 or more, not Infinity"),
        ("stable = 2026-11-23", 'source.stable has to be a number, not "2026-11-23"'),
        ("stable = 5000", "source.give_up (3600) has to be more than source.stable (5000)"),
        ("give_up = 2", "source.give_up (2) has to be more than source.stable (2)"),
        ('inbox = ""', 'source.inbox has to be the path of a file or folder, not ""'),
        ('inbox = "/a\\u0000b"', 'source.inbox has to be the path of a file or folder, not "/a\\u0000b"'),
        ("inbox = 1", "source.inbox has to be the path of a file or folder, not 1"),
        ('inbox = "~/scans"', 'source.inbox has to be a whole path, which begins with /, not "~/scans"'),
        ('symlinks = "Follow"', 'source.symlinks has to be refuse or follow, not "Follow"'),
    ],
)
def test_a_value_that_cannot_work_is_told_with_what_would(place: Place, text: str, said: str) -> None:
    inbox = "" if text.startswith("inbox") else 'inbox = "/scans"\n'
    place.path.write_text(f'[output]\nfolder = "/results"\n[source]\n{inbox}{text}\n')
    assert place.mistakes() == [f"file:{4 + bool(inbox)}: {said}."]


def test_what_is_true_or_false_may_be_spelled_in_a_variable(place: Place) -> None:
    assert place.load(f"{PLACES}[decision]\nstrict = true\n").config().decision.strict is True
    assert place.load(PLACES, OCT_EDGE_DECISION_STRICT="True").config().decision.strict is True
    assert place.load(PLACES, OCT_EDGE_DECISION_STRICT="false").config().decision.strict is False
    assert place.mistakes(PLACES, OCT_EDGE_DECISION_STRICT="yes") == [
        'OCT_EDGE_DECISION_STRICT: decision.strict has to be true or false, not "yes".'
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("strict = 1", "decision.strict has to be true or false, not 1"),
        ("threshold = 0", "decision.threshold has to be 0.0001 to 0.9999, not 0.0"),
        ("threshold = 1", "decision.threshold has to be 0.0001 to 0.9999, not 1.0"),
        ("threshold = true", "decision.threshold has to be a number, not true"),
        ("prior = { CNV = 1 }", "decision.prior has to be a text, not a table"),
        ('prior = "much"', f"decision.prior has to be like {EXAMPLE}"),
        ('prior = "CNV=1,CNV=1"', f"decision.prior has to be like {EXAMPLE}"),
        ('prior = "CNV=0.5,DME=0.5,DRUSEN=0.5,NORMAL=0.5"', f"decision.prior has to {WRONG}"),
        ('prior = "CNV=0,DME=0.3,DRUSEN=0.3,NORMAL=0.4"', f"decision.prior has to {WRONG}"),
        ('prior = "CNV=0.3,DME=0.3,DRUSEN=0.3,AMD=0.1"', f"decision.prior has to {WRONG}"),
    ],
)
def test_a_decision_that_means_nothing_is_refused(place: Place, text: str, said: str) -> None:
    assert place.mistakes(f"{PLACES}[decision]\n{text}\n") == [f"file:6: {said}."]


def test_two_files_of_results_cannot_be_one(place: Place) -> None:
    assert place.mistakes(f'{PLACES}csv = "/x"\njsonl = "/x"\n') == [
        "file:5: output.csv names the same file as output.jsonl."
    ]


def test_a_mistake_of_the_file_is_told_even_where_a_variable_would_win(place: Place) -> None:
    assert place.mistakes(f"{PLACES}[model]\nthreads = 65\n", OCT_EDGE_MODEL_THREADS="1") == [
        "file:6: model.threads has to be 1 to 64, not 65."
    ]


def test_the_state_folder_may_be_named_by_its_short_variable(place: Place) -> None:
    assert place.load(PLACES, OCT_EDGE_STATE="kept").config().state_folder == Path("kept")
    assert place.load(PLACES, OCT_EDGE_STATE="/a", OCT_EDGE_STATE_FOLDER="/a").state_folder() == Path("/a")
    assert place.mistakes(PLACES, OCT_EDGE_STATE="/a", OCT_EDGE_STATE_FOLDER="/b") == [
        "OCT_EDGE_STATE: OCT_EDGE_STATE_FOLDER says otherwise, and both set state.folder."
    ]


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("", None),
        ('[output]\nfolder = "/results"\n', "/results.state"),
        ('[output]\nfolder = "/results"\n[state]\nfolder = "/kept"\n', "/kept"),
        ('[state]\nfolder = "/kept"\n[source]\ninbox = 1\nfoo = 1\n', "/kept"),
    ],
)
def test_who_asks_the_ledger_needs_no_more_than_its_folder(place: Place, text: str, folder: str | None) -> None:
    assert place.load(text).state_folder() == (Path(folder) if folder else None)


@pytest.mark.parametrize("text", ['[state]\nfolder = "kept"\n', '[state]\nfoldr = "/kept"\n', "[state\n"])
def test_a_mistake_that_may_hide_the_ledger_is_told(place: Place, text: str) -> None:
    with pytest.raises(SettingsRefused):
        place.load(text).state_folder()


def test_every_key_has_a_variable_and_every_flag_a_key() -> None:
    assert KEYS["source.give_up"].variable == "OCT_EDGE_SOURCE_GIVE_UP"
    assert len(VARIABLES) == len(KEYS)
    assert KEYS.keys() >= FLAGS.keys()
    assert {key.name for key in KEYS.values() if key.required} <= FLAGS.keys()


def test_the_choices_are_those_of_the_rooms_they_are_for() -> None:
    assert KEYS["model.runtime"].choices == KINDS
    assert KEYS["privacy.names"].choices == NAMES
    assert KEYS["source.give_up"].default == GIVE_UP
    assert KEYS["model.name"].default == DEFAULT
    assert {level.upper() for level in KEYS["log.level"].choices} <= logging.getLevelNamesMapping().keys()
