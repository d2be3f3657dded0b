"""The study itself: one word per thing, in code, interfaces, screens and exports alike.

trial
    One study: protocol, cases, participants, readings, analyses.
protocol
    The trial's design as one document (tasks, conditions, cases, allocation, timing rules, analysis plan). Frozen by
    SHA-256 at protocol lock; an *amendment* is a new version with a reason.
case
    One patient's material in a trial under a neutral code: images, candidate and reference contours, covariates,
    reference standard.
item
    What one reading shows (a slice, a scan, a volume) with the candidates shown with it. Belongs to exactly one case;
    a case may have many.
candidate
    A contour that competes in an item. In a preference trial candidate a is the expert's, candidate b the algorithm's;
    which side either is shown on stands in the allocation.
reference standard
    What a case's answer is checked against (label, contour, follow-up). Never shown to a reader of a trial case.
participant
    Whoever reads: a *reader* (a person) or an *algorithm* (a model version). In storage, submit path and export an
    algorithm is a participant like any other; in inference it is a fixed comparator, never a random reader.
condition
    How a case is shown (arm; modality in MRMC terms): unaided, aided, manual or automatic contour.
task
    What is asked: ``preference``, ``classification``, ``contouring``, ``contour-review``, ``rating-form``.
allocation
    The full list of readings to come, made once from a sealed seed at protocol lock and stored row by row.
slot
    One reader-to-be of the allocation: an order of rows with their sides. A reader is bound to the next free slot of
    the stratum.
reading
    Participant x item x condition x repeat. The central row: position, session, presented sides, protocol hash, state.
event
    One time-stamped fact inside a reading (first paint, input, slice change, hidden, pause, submit); append-only.
    Rows of the audit chain are *audit entries*, never events.
response
    What was answered in a reading. Immutable once submitted; a *correction* is a new row with a reason.
protocol lock, data lock
    Two different acts, never "lock" alone: the first freezes the design, the second the data.
analysis
    A named statistical method from the plan applied to a frozen snapshot of the data.
bundle
    The exportable archive of a trial: data, protocol, audit trail, tables, figures, scripts, checksums.
"""
