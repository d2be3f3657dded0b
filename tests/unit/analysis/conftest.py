"""What the tests of the analyses share: a preference trial whose every number can be counted by hand."""

import pytest


def preference_rows():
    """Return two groups of two readers, four cases, sides swapped between readers; R1 repeats C1 and C2."""
    answers = {
        "R1": ["algorithm", "algorithm", "algorithm", "expert"],
        "R2": ["algorithm", "algorithm", "none", "expert"],
        "R3": ["expert", "expert", "algorithm", ""],
        "R4": ["algorithm", "expert", "algorithm", "algorithm"],
    }
    rows = []
    for place, (reader, preferred) in enumerate(answers.items()):
        for number, answer in enumerate(preferred):
            left = "algorithm" if (place + number) % 2 else "expert"
            rows.append(
                {
                    "participant": reader,
                    "participant_kind": "reader",
                    "group": "Radiologist" if place < 2 else "Student",
                    "case": f"C{number + 1}",
                    "item": f"C{number + 1}",
                    "condition": "pair",
                    "repeat": 1,
                    "task": "preference",
                    "preferred": answer,
                    "left_source": left,
                    "right_source": "expert" if left == "algorithm" else "algorithm",
                    "active_s": 10.0 + number,
                }
            )
    for case, answer in (("C1", "algorithm"), ("C2", "expert")):
        rows.append(
            {**rows[0], "case": case, "item": case, "repeat": 2, "preferred": answer, "active_s": 5.0}
        )
    for reader, case, side in (("R1", "C1", "left"), ("R1", "C2", "left"), ("R2", "C1", "dont_know")):
        rows.append(
            {
                **rows[0],
                "participant": reader,
                "case": case,
                "item": case,
                "task": "blinding-check",
                "preferred": "",
                "choice_side": side,
                "left_source": "algorithm",
                "right_source": "expert",
                "active_s": 3.0,
            }
        )
    return rows


@pytest.fixture
def preference_columns():
    rows = preference_rows()
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
