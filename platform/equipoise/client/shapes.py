"""What the site tells a program: only the fields that programs need; others may be added by the site at any time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FINAL_STATES = frozenset({"succeeded", "failed", "partial", "cancelled"})


@dataclass(frozen=True)
class Trial:
    """A trial and what the token is in it."""

    id: str
    slug: str
    title: str
    state: str
    roles: tuple[str, ...]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Trial":
        """Read one row of the list."""
        return cls(
            id=str(document["id"]),
            slug=str(document["slug"]),
            title=str(document["title"]),
            state=str(document["state"]),
            roles=tuple(document["roles"]),
        )


@dataclass(frozen=True)
class Session:
    """What a token opens: one trial in one role."""

    trial: Trial
    role: str


@dataclass(frozen=True)
class Case:
    """A case under its neutral code."""

    id: str
    code: str
    purpose: str
    modality: str | None
    slices: int
    spacing_mm_zyx: tuple[float, ...]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Case":
        """Read one row of the list."""
        return cls(
            id=str(document["id"]),
            code=str(document["code"]),
            purpose=str(document["purpose"]),
            modality=document["modality"],
            slices=int(document["slices"]),
            spacing_mm_zyx=tuple(float(one) for one in document["spacing_mm"]),
        )


@dataclass(frozen=True)
class Job:
    """Long work on the site."""

    id: str
    kind: str
    state: str
    done: int
    failed: int
    total: int
    stalled: bool

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in FINAL_STATES

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Job":
        """Read the job resource."""
        return cls(
            id=str(document["id"]),
            kind=str(document["kind"]),
            state=str(document["state"]),
            done=int(document["done"]),
            failed=int(document["failed"]),
            total=int(document["total"]),
            stalled=bool(document["stalled"]),
        )
