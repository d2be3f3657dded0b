"""The tidy tables that the analyses take: their known columns, their ranges and what names one row."""

from equipoise.analysis.tables import Column, Schema

READINGS = Schema(
    "readings",
    (
        Column("trial"),
        Column("participant"),
        Column("participant_kind", choices=("reader", "algorithm")),
        Column("group"),
        Column("experience_years", "number", minimum=0, maximum=80),
        Column("case"),
        Column("item"),
        Column("slice"),
        Column("condition"),
        Column("repeat", "integer", minimum=1),
        Column("session"),
        Column("position", "integer", minimum=0),
        Column("task"),
        Column("score", "number"),
        Column("decision", "flag"),
        Column("preferred"),
        Column("left_source"),
        Column("right_source"),
        Column("left_contour_id"),
        Column("right_contour_id"),
        Column("choice_side"),
        *(
            Column(name, "number", minimum=0)
            for name in (
                "decision_s",
                "wall_s",
                "visible_s",
                "active_s",
                "active_30_s",
                "active_120_s",
                "comment_s",
            )
        ),
        Column("flags"),
        Column("comment"),
    ),
    key=("trial", "participant", "task", "case", "item", "slice", "condition", "repeat"),
)

TRUTH = Schema("truth", (Column("case"), Column("item"), Column("truth", "flag")), key=("case", "item"))

SEGMENTATION_METRICS = (
    "dice",
    "jaccard",
    "hausdorff_mm",
    "hausdorff_95_mm",
    "mean_surface_distance_mm",
    "surface_dice",
    "added_path_length_mm",
    "volume_reference_ml",
    "volume_candidate_ml",
)
"""The metrics by the names of :func:`equipoise.metrics.segmentation_metrics`."""

SEGMENTATIONS = Schema(
    "segmentations",
    (
        Column("case"),
        Column("item"),
        Column("first"),
        Column("second"),
        Column("kind", choices=("reference", "inter", "intra")),
        *(Column(name, "number", minimum=0, maximum=1) for name in ("dice", "jaccard", "surface_dice")),
        *(
            Column(name, "number", minimum=0, infinite=True)
            for name in (
                "hausdorff_mm",
                "hausdorff_95_mm",
                "mean_surface_distance_mm",
                "added_path_length_mm",
            )
        ),
        *(Column(name, "number", minimum=0) for name in ("volume_reference_ml", "volume_candidate_ml")),
        Column("flags"),
    ),
    key=("case", "item", "first", "second", "kind"),
)

SURVIVAL = Schema(
    "survival",
    (Column("case"), Column("time", "number", minimum=0), Column("event", "flag")),
    key=("case",),
)

SCHEMAS = {schema.name: schema for schema in (READINGS, TRUTH, SEGMENTATIONS, SURVIVAL)}
