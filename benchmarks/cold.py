"""What does one cold `oct-edge classify` cost over a bare script with the same runtime, decoder and model?

Pairs run one after the other, in turns, so that both meet the same machine; the median of the differences is what
counts. The aim of the design is 150 ms or less. Prints a table and writes `cold.json` into the current folder.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from intervals import interval

from oct_models import DEFAULT, bundled_models, sample_scans

PAIRS = 15
BARE = """
import sys
import numpy as np
from PIL import Image
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=2)
interpreter.allocate_tensors()
image = Image.open(sys.argv[2]).convert("L").resize((224, 224), Image.Resampling.BILINEAR)
tensor = np.repeat(np.asarray(image)[None, :, :, None], 3, axis=3)
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
interpreter.invoke()
print(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
"""


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    model, scan = str(bundled_models()[DEFAULT]), str(sample_scans()[0])
    bare = [sys.executable, "-c", BARE, model, scan]
    ours = [str(Path(sys.executable).parent / "oct-edge"), "classify", "--threads", "2", scan]
    for command in (bare, ours):
        seconds(command)
    pairs = [(seconds(bare), seconds(ours)) for _ in range(PAIRS)]
    extra = [1000 * (b - a) for a, b in pairs]
    low, high = interval(extra)
    row = {
        "pairs": PAIRS,
        "bare_ms": round(1000 * statistics.median(a for a, _ in pairs), 1),
        "classify_ms": round(1000 * statistics.median(b for _, b in pairs), 1),
        "extra_ms": round(statistics.median(extra), 1),
        "extra_low_ms": round(low, 1),
        "extra_high_ms": round(high, 1),
        "aim_ms": 150,
    }
    print("bare script   oct-edge classify   extra (95 % interval)      aim")
    extra_column = f"{row['extra_ms']:.1f} ms ({low:.1f}-{high:.1f})"
    print(f"{row['bare_ms']:>8.1f} ms   {row['classify_ms']:>14.1f} ms   {extra_column:<25}  150 ms")
    Path("cold.json").write_text(json.dumps(row, indent=1) + "\n")


if __name__ == "__main__":
    main()
