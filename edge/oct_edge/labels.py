"""The four classes, in the one order that every tensor, file and report of this project uses.

Order and referral groups are those of Kermany et al. 2018 (Cell 172, 1122-1131): choroidal neovascularisation and
diabetic macular oedema ask for an urgent referral, drusen for a routine one, a normal retina for observation.
"""

from dataclasses import dataclass
from typing import Literal

Group = Literal["urgent", "routine", "observe", "human_review"]

BASIS = "Kermany 2018"
DISCLAIMER = "research use only - not a medical device"


@dataclass(frozen=True)
class Grade:
    """One class: its label, what the label means, and the referral group it leads to."""

    label: str
    meaning: str
    group: Group


GRADES = (
    Grade("CNV", "choroidal neovascularisation", "urgent"),
    Grade("DME", "diabetic macular oedema", "urgent"),
    Grade("DRUSEN", "drusen of early age-related macular degeneration", "routine"),
    Grade("NORMAL", "no sign of the three diseases", "observe"),
)
LABELS: tuple[str, ...] = tuple(grade.label for grade in GRADES)
URGENT: tuple[int, ...] = tuple(i for i, grade in enumerate(GRADES) if grade.group == "urgent")
