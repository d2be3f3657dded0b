"""What the headers of a run held and was not kept: which attributes, never their values.

A list of what was removed is for looking whether the right things were removed. With values it would be the very
material that was to be got rid of; the sender has them still. It is a file of its own all the same, readable by the
data manager alone and deletable: which private attributes a scanner writes may tell a hospital.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equipoise.archive.deidentification import DeidentificationPolicy
from equipoise.imaging.confidentiality import AttributeChange, CleaningProfile, named_by_profile
from equipoise.imaging.dicom_header import DAMAGE, DicomHeader

MAX_ENTRIES = 20_000
"""Of one run. A scanner writes some hundred attributes; more are made up to fill the disk."""


@dataclass(slots=True)
class _Count:
    first: Path
    files: int = 0


@dataclass
class RemovalLog:
    """Counts attributes over the files of a run."""

    profile: CleaningProfile
    _entries: dict[AttributeChange, _Count] = field(default_factory=dict)
    _unlisted_files: int = 0
    _entries_left_out: int = 0

    def add(self, header: DicomHeader) -> None:
        """Count what one file's header holds that the confidentiality profile names."""
        try:
            found = named_by_profile(header.dataset, self.profile)
        except DAMAGE:
            self._unlisted_files += 1
            return
        self.add_changes(found, header.path)

    def add_changes(self, changes: Iterable[AttributeChange], path: Path) -> None:
        """Count one file's changes."""
        for change in changes:
            count = self._entries.get(change)
            if count is None:
                if len(self._entries) >= MAX_ENTRIES:
                    self._entries_left_out += 1
                    continue
                count = self._entries[change] = _Count(path)
            count.files += 1

    def lines(self, policy: DeidentificationPolicy, numbers: Mapping[Path, int]) -> list[dict[str, Any]]:
        """Return the log: what was applied, then one entry per attribute, by tag.

        Parameters
        ----------
        numbers : mapping of Path to int
            Under which number a file stands in the run's report.
        """
        head = {
            **policy.as_json(),
            "files_not_listed": self._unlisted_files,
            "entries_left_out": self._entries_left_out,
        }
        return [
            head,
            *(
                {
                    "tag": change.tag,
                    "keyword": change.keyword,
                    "vr": change.vr,
                    "action": change.action.value,
                    "files": count.files,
                    "first_file": numbers.get(count.first),
                }
                for change, count in sorted(self._entries.items(), key=lambda entry: entry[0].tag)
            ),
        ]


def encoded(lines: Iterable[Mapping[str, Any]]) -> bytes:
    """Return lines as JSON, one to a line."""
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()
