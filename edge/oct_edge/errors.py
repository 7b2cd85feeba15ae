"""Everything that can go wrong, as one tree.

    OctEdgeError
    ├── ScanError                    exit 1   one input was turned away; the others go on
    │   ├── ScanNotFound                      the path does not exist
    │   ├── ScanUnreadable                    it exists, but its bytes cannot be had
    │   ├── ScanEmpty                         zero bytes
    │   ├── ScanTooLarge                      more bytes or pixels than any B-scan has
    │   ├── ScanIsLink                        a symbolic link in the watched folder
    │   ├── ScanNotAtRest                     it went on changing for too long
    │   ├── UnsupportedFormat                 none of the formats that are read, whatever its name says
    │   ├── UnsupportedPixels                 pixels that have no defined meaning as grey values
    │   ├── UnsupportedCompression            pixels in a code for which there is no decoder
    │   ├── OtherModality                     a DICOM file of another kind of picture, or of none
    │   ├── ScanIsVolume                      many scans in one file, where one is wanted
    │   ├── ScanDamaged                       the picture ends early or does not decode
    │   ├── NotEnoughMemory                   the picture may be whole; there was no memory to decode it
    │   ├── WorkerCrashed                     the process that decodes and grades died on it, twice
    │   └── DeadlineExceeded                  it was not graded in time, twice
    ├── ModelError                   exit 78  the model may not be served
    │   ├── ModelNotFound
    │   ├── ModelDamaged                      truncated, edited, or no card inside
    │   ├── ModelUnfit                        intact, but breaks the model contract
    │   └── SelfTestFailed                    golden answers are not reproduced
    ├── ConfigurationError           exit 78  a setting or folder that cannot work
    │   └── SettingsRefused                   mistakes in the file, the variables or the flags, all of them at once
    ├── LedgerError                  exit 78  the ledger may not be used
    │   ├── LedgerNotFound                    nothing was watched with this state folder yet
    │   ├── LedgerDamaged                     no database, or with pages that contradict each other
    │   ├── LedgerForeign                     a database of another program
    │   ├── LedgerTooNew                      a later release wrote it
    │   └── ChainBroken                       an event was altered or removed
    ├── RuntimeUnavailable           exit 69  no TFLite interpreter of the kind asked for
    ├── InboxUnavailable             exit 69  the watched folder was there and is gone
    ├── OutputUnavailable            exit 69  a result cannot be made durable
    │   ├── DiskFull                          no space is left where it belongs
    │   └── OutputMissing                     the folder it belongs to is gone
    ├── WorkerUnavailable            exit 69  the process that decodes and grades does not start
    ├── MissingExtra                 exit 69  the command needs an optional part of the package
    ├── InstallationFailed           exit 69  the service cannot be installed, started or removed here
    ├── CompilerUnavailable          exit 69  Google's Edge TPU compiler is not installed here
    ├── InferenceFailed              exit 69  the interpreter failed on a valid tensor
    └── WorkstationError             exit 1   training and conversion
        ├── DataSetError                      the folder or CSV is not a usable data set
        │   └── LeakingSplit                  what is measured on would be trained on
        ├── WeightsError                      starting weights are missing or do not fit
        ├── RunError                          a training run is missing, incomplete or of another kind
        ├── OutOfMemory                       a batch, or the data, does not fit into memory
        ├── CalibrationError                  the calibration set cannot give the input scale of the contract
        ├── CompilationFailed                 the Edge TPU compiler made no model that can be served
        └── GateFailed                        the int8 model is not as good as its float parent

Each class has a stable `code`, which appears in JSON and in the docs, and an `exit_code` (sysexits numbers where the
shell knows them). Each error has a `hint`: what to do about it.
"""


class OctEdgeError(Exception):
    """The root. Raised only through its subclasses."""

    code = "error"
    hint = ""
    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint

    def messages(self) -> tuple[str, ...]:
        """The message, or several where an error stands for several."""
        return (self.message,)


class ScanError(OctEdgeError):
    """One input cannot become a `Scan`."""

    code = "scan_error"


class ScanNotFound(ScanError):
    """The path does not exist, or not any more."""

    code = "not_found"
    hint = "Check the path; a file that was moved while it was being read is found again under its new name."


class ScanUnreadable(ScanError):
    """The path exists but is not a readable regular file (permission, folder, device, I/O error)."""

    code = "unreadable"
    hint = "Give this user read permission, or copy the file to a healthy disk."


class ScanEmpty(ScanError):
    """The file has no bytes."""

    code = "empty_file"
    hint = "Copy it again: an empty file is what an interrupted copy leaves behind."


class ScanTooLarge(ScanError):
    """More bytes or pixels than any OCT B-scan has; turned away before it is decoded."""

    code = "too_large"
    hint = "Export single B-scans; a volume or a report page is not one."


class ScanIsLink(ScanError):
    """A symbolic link: what it points to may be anywhere, and change without a trace in the folder."""

    code = "symbolic_link"
    hint = 'Copy the file itself into the folder, or allow links with `symlinks = "follow"`.'


class ScanNotAtRest(ScanError):
    """Size or modification time went on changing for longer than a copy can take."""

    code = "never_stable"
    hint = "See what writes to the file; copied again under any name, its whole content is answered."


class UnsupportedFormat(ScanError):
    """The bytes are of none of the formats that are read. The name of the file plays no part in this."""

    code = "unsupported_format"
    hint = "Export the B-scan as DICOM, PNG, TIFF or JPEG; renaming a file does not convert it."


class UnsupportedPixels(ScanError):
    """Pixels without one defined meaning as grey values (see-through, CMYK, colour pictures, bilevel)."""

    code = "unsupported_pixels"
    hint = "Export the B-scan as 8-bit or 16-bit grey."


class UnsupportedCompression(ScanError):
    """The pixels are in a code for which no decoder is installed, or whose damage could not be told from a picture."""

    code = "unsupported_compression"
    hint = "Export the scan without compression, or with a lossless one that docs/classify.md names."


class OtherModality(ScanError):
    """A DICOM file that says it is no OCT: a fundus photograph, a CT, a report. What it says is believed."""

    code = "other_modality"
    hint = "Export the B-scans of the OCT (modality OPT), or a secondary capture of one."


class ScanIsVolume(ScanError):
    """A file of many frames where one scan is wanted. A content has one final state here, and a volume many answers."""

    code = "volume"
    hint = "`oct-edge classify` answers each frame of it and sums up; a watched folder takes single B-scans."


class ScanDamaged(ScanError):
    """The header is that of a format that is read, but the picture does not decode to its end."""

    code = "damaged_image"
    hint = "Copy it again from the device; the original was left where it is."


class NotEnoughMemory(ScanError):
    """The system gave no memory to decode it, which says nothing about the picture."""

    code = "not_enough_memory"
    hint = "See what else takes the memory of this device, then try again."


class WorkerCrashed(ScanError):
    """The process that decodes and grades died while it was at this scan, and so did a fresh one."""

    code = "worker_crashed"
    hint = "Export the scan again; if others are rejected like this, check the memory of the device."


class DeadlineExceeded(ScanError):
    """Neither the first process nor a fresh one graded this scan in time."""

    code = "deadline_exceeded"
    hint = "Export the scan again; if others are rejected like this, check how busy and how hot the device is."


class ModelError(OctEdgeError):
    """The model may not be served."""

    code = "model_error"
    exit_code = 78


class ModelNotFound(ModelError):
    """Neither a bundled model of this name nor a file."""

    code = "model_not_found"
    hint = "`oct-edge models` lists the bundled models; a path to a .tflite file works too."


class ModelDamaged(ModelError):
    """The file was cut, edited, or never carried a card."""

    code = "model_damaged"
    hint = "Copy the model again, or convert it again with `oct-convert`."


class ModelUnfit(ModelError):
    """An intact file that breaks the model contract (input, outputs, classes, preprocessing)."""

    code = "model_unfit"
    hint = "Convert it with the `oct-convert` of this version."


class SelfTestFailed(ModelError):
    """The model does not give its golden answers on this machine."""

    code = "self_test_failed"
    hint = "Try `--runtime` with another value; if that fails too, reinstall the package and the model."


class ConfigurationError(OctEdgeError):
    """A setting or a folder that cannot work."""

    code = "configuration"
    exit_code = 78


class SettingsRefused(ConfigurationError):
    """Something is wrong in the configuration file, a variable or a flag; each mistake is told with its place."""

    code = "settings_refused"
    hint = "docs/configure.md lists the keys; `oct-edge config check` reads them again and starts nothing."

    def __init__(self, *mistakes: str, hint: str | None = None) -> None:
        super().__init__("\n".join(mistakes), hint=hint)
        self._mistakes = mistakes

    def messages(self) -> tuple[str, ...]:
        return self._mistakes


class LedgerError(OctEdgeError):
    """The ledger may not be used; the scans, and the results that are files, are not concerned."""

    code = "ledger_error"
    exit_code = 78


class LedgerNotFound(LedgerError):
    """There is no ledger in the folder that was named."""

    code = "ledger_not_found"
    hint = "Name the folder that `oct-edge watch` was given, or that it made beside its --output, with --state."


class LedgerDamaged(LedgerError):
    """The file is no database, or has pages that contradict each other.

    Raised to those who ask. The process that watches moves the file aside and begins a new one.
    """

    code = "ledger_damaged"
    hint = "Ask `oct-edge status` as root, which leaves a mark, and start the service again: it begins a new ledger."


class LedgerForeign(LedgerError):
    """The file is an intact database that this program did not make."""

    code = "ledger_foreign"
    hint = "Name another folder with --state, or move the file away."


class LedgerTooNew(LedgerError):
    """A later release of this program wrote it; an older one would not understand all of it."""

    code = "ledger_too_new"
    hint = "Install that release again, or name another folder with --state."


class ChainBroken(LedgerError):
    """An event was altered or removed, or the chain is not the one that was noted."""

    code = "chain_broken"
    hint = "Keep the file as evidence and compare it with a backup; a new one starts in another --state."


class RuntimeUnavailable(OctEdgeError):
    """The TFLite runtime that was asked for cannot be built here."""

    code = "runtime_unavailable"
    exit_code = 69


class InboxUnavailable(OctEdgeError):
    """The watched folder could be listed before and cannot be now (share unmounted, stick pulled out)."""

    code = "inbox_missing"
    hint = "Mount the disk or share again; what was answered is known by content and not answered twice."
    exit_code = 69


class OutputUnavailable(OctEdgeError):
    """A file cannot be written and synced (disk full, read-only, folder gone)."""

    code = "output_unavailable"
    hint = "Free some space or repair the disk, then start again: what has no answer yet gets one."
    exit_code = 69


class DiskFull(OutputUnavailable):
    """No space, or no quota, is left on the disk."""

    code = "disk_full"
    hint = "Free some space: the watch goes on by itself, anything else when it is started again."


class OutputMissing(OutputUnavailable):
    """The folder of a file that is to be written was there and is gone."""

    code = "output_missing"
    hint = "Mount the disk or share again, or create the folder: the watch goes on by itself."


class WorkerUnavailable(OctEdgeError):
    """The process that decodes and grades ended again and again before it was ready, without saying why."""

    code = "worker_unavailable"
    hint = "Run `oct-edge models --check`, and see whether the device has memory left."
    exit_code = 69


class MissingExtra(OctEdgeError):
    """The command needs an optional part of the package that is not installed."""

    code = "missing_extra"
    exit_code = 69


class InstallationFailed(OctEdgeError):
    """The system refuses a step of installing, starting or removing the service; each says what to do."""

    code = "installation_failed"
    exit_code = 69


class CompilerUnavailable(OctEdgeError):
    """There is no `edgetpu_compiler` that can be started; models for the CPU are not concerned."""

    code = "edgetpu_compiler"
    hint = (
        "It is Google's, for x86-64 Debian and Ubuntu only, and no longer maintained: 16.0 of 2021 is its last release."
        " Add `deb https://packages.cloud.google.com/apt coral-edgetpu-stable main` to the sources of apt, with the key"
        " that https://coral.ai/docs/edgetpu/compiler/ names, then `apt install edgetpu-compiler`."
    )
    exit_code = 69


class InferenceFailed(OctEdgeError):
    """The interpreter failed, or answered with values that are no probabilities."""

    code = "inference_failed"
    hint = "Run `oct-edge models --check`; a model that fails its golden answers must be replaced."
    exit_code = 69


class WorkstationError(OctEdgeError):
    """Training or conversion cannot go on."""

    code = "workstation_error"


class DataSetError(WorkstationError):
    """The folder or CSV is not a usable data set."""

    code = "data_set"


class LeakingSplit(DataSetError):
    """A patient, or the very bytes of a scan, on two sides of a split: figures measured on it would be too good."""

    code = "leaking_split"
    hint = "`oct-train audit` lists them; remove one side, or use --allow-leak: the run and the card will say so."


class WeightsError(WorkstationError):
    """Starting weights are missing, or belong to another network."""

    code = "weights"
    hint = "Use `--weights imagenet`, `--weights none`, or a folder with weights of this very network."


class RunError(WorkstationError):
    """A training run is missing, incomplete, or of another kind than the command needs."""

    code = "run"
    hint = "Train again with the `oct-train` of this version, and name its --out."


class OutOfMemory(WorkstationError):
    """A batch does not fit into the memory of the device, or the data not into that of the machine."""

    code = "out_of_memory"


class CalibrationError(WorkstationError):
    """The calibration set is empty, too short, or does not span 0..255."""

    code = "calibration"


class CompilationFailed(WorkstationError):
    """The Edge TPU compiler failed, hung, or left no model that can be put together again."""

    code = "edgetpu_compilation"
    hint = "The static check beside the model names what the Edge TPU does not take; the model for the CPU stands."


class GateFailed(WorkstationError):
    """The int8 model is not as good as its float parent; no model was written."""

    code = "gate_failed"


def error_of(code: str, kind: type[OctEdgeError] = OctEdgeError) -> type[OctEdgeError]:
    """The class with this code, for errors that come from another process; the root if there is none."""
    found = (error_of(code, child) for child in kind.__subclasses__())
    return next((child for child in found if child.code == code), kind)
