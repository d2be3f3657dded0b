"""The one list of reading tasks."""

from trials.reading_tasks.classification.task import ClassificationTask
from trials.reading_tasks.contour_review.task import ContourReviewTask
from trials.reading_tasks.contouring.task import ContouringTask
from trials.reading_tasks.contract import ReadingTask
from trials.reading_tasks.preference.task import PreferenceTask
from trials.reading_tasks.rating_form.task import RatingFormTask

READING_TASKS: dict[str, ReadingTask] = {
    task.name: task
    for task in (
        PreferenceTask(),
        ClassificationTask(),
        ContouringTask(),
        ContourReviewTask(),
        RatingFormTask(),
    )
}


def reading_task(name: str) -> ReadingTask:
    """Return the task of that name."""
    return READING_TASKS[name]
