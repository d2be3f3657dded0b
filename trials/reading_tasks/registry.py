"""The one list of reading tasks."""

from trials.reading_tasks.contract import ReadingTask
from trials.reading_tasks.preference.task import PreferenceTask

READING_TASKS: dict[str, ReadingTask] = {task.name: task for task in (PreferenceTask(),)}


def reading_task(name: str) -> ReadingTask:
    """Return the task of that name."""
    return READING_TASKS[name]
