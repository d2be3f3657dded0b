"""The archive: de-identified image volumes and masks, how they come in, and how their frames go out.

What belongs here: files of a trial and the rows that name them. What a volume means in a trial (case, item,
candidate, reference) is the business of ``trials``, which this app knows by id alone.
"""
