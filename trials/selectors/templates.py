"""The protocols that ship with the platform."""

from dataclasses import dataclass
from importlib import resources

from equipoise.common.errors import NotFoundError
from trials.domain.protocol.document import check_text


@dataclass(frozen=True)
class Template:
    """A shipped protocol."""

    name: str
    title: str
    summary: str
    text: str


def template_names() -> list[str]:
    """Return the names of the shipped protocols."""
    folder = resources.files("trials.templates")
    return sorted(
        entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )


def template(name: str) -> Template:
    """Return one shipped protocol."""
    if name not in template_names():
        raise NotFoundError(f"There is no template {name!r}; there are {', '.join(template_names())}.")
    text = resources.files("trials.templates").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    document = check_text(text).document or {}
    return Template(
        name=name, title=str(document.get("title", name)), summary=str(document.get("summary", "")), text=text
    )
