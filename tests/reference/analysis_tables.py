"""Reference tables of the published lung-tumour trial in the tidy form that the analyses take."""

import csv


def rows_of(path):
    """Return a CSV file as a list of dictionaries."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def columns_of(rows):
    """Return rows as columns; empty cells are missing."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def reading_times(path):
    """Return time.csv (a column per participant, a row per patient) as readings."""
    rows = [
        {
            "participant": name,
            "participant_kind": "algorithm" if name == "DL" else "reader",
            "case": f"P{number:02d}",
            "wall_s": value,
        }
        for number, row in enumerate(rows_of(path), 1)
        for name, value in row.items()
    ]
    return columns_of(rows)


def repeated_contours(path):
    """Return intra_dsc.csv as segmentations of kind intra."""
    rows = [
        {"case": f"P{number:02d}", "first": name, "second": name, "kind": "intra", "dice": value}
        for number, row in enumerate(rows_of(path), 1)
        for name, value in row.items()
    ]
    return columns_of(rows)


def pairs_between_readers(path):
    """Return inter_dsc.csv as segmentations of kind inter.

    Each patient is a block of seven rows and seven columns named after the doctors. In rows 1 to 6 of column j stand
    the pairs of doctor j with the six others in the order of the columns, so each pair stands twice; row 7 holds
    unlabelled values and is left out.
    """
    rows = rows_of(path)
    names = list(rows[0])
    pairs = []
    for patient in range(len(rows) // 7):
        block = rows[7 * patient : 7 * patient + 6]
        for name in names:
            others = [other for other in names if other != name]
            pairs += [
                {
                    "case": f"P{patient + 1:02d}",
                    "first": name,
                    "second": other,
                    "kind": "inter",
                    "dice": row[name],
                }
                for other, row in zip(others, block, strict=True)
            ]
    return columns_of(pairs)


LOCATIONS = {"0": "parenchyma"}


def location(text):
    """Return the location group of the published analysis."""
    marks = set(text.split(" and "))
    if text == "0":
        return "parenchyma"
    return (
        "mediastinum"
        if "1" in {mark.strip() for mark in marks}
        else "chest_wall"
        if "2" in {m.strip() for m in marks}
        else ""
    )


def contours_against_reference(path):
    """Return segmentation_test.csv as segmentations of kind reference with its covariates."""
    rows = [
        {
            "case": row["case"],
            "first": "reference",
            "second": "algorithm",
            "kind": "reference",
            "dice": row["3d_dice"],
            "jaccard": row["3d_jacc"],
            "surface_dice_1.18": row["surf_dsc"],
            "hausdorff_95_mm": row["h95th"],
            "added_path_length_mm": row["APL"],
            "slice_thickness_mm": row["sl_th"],
            "volume": row["tum_vol"],
            "pet": row["pet"],
            "atelectasis": row["atelectasis"],
            "location": location(row["tum_loc"]),
        }
        for row in rows_of(path)
    ]
    return columns_of(rows)
