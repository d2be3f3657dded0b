"""Figures for a page that allows no inline style: drawn SVG, with ids of its own and nothing that is not drawing."""

import re
from xml.etree import ElementTree as ET

_SVG = "{http://www.w3.org/2000/svg}"
_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
_DROPPED = frozenset({"metadata", "style", "script", "foreignObject", "image", "a", "animate", "set"})
_FONT = re.compile(
    r"(?:(?P<style>italic|oblique) )?(?:(?P<weight>bold|\d{3}) )?(?P<size>[\d.]+(?:px|pt)) (?P<family>.+)"
)
_URL = re.compile(r"url\(#([^)]+)\)")


def inline_svg(text: str, *, prefix: str, label: str) -> str:
    """Return a drawing of ours as an element of a page: styles as attributes, ids prefixed, no link to elsewhere."""
    root = ET.fromstring(text)  # noqa: S314 - drawn by this program, not taken from outside
    _strip(root)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        _plain(element, prefix)
    root.attrib.pop("version", None)
    root.attrib |= {
        "role": "img",
        "aria-label": label,
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    root.tail = None
    return ET.tostring(root, encoding="unicode", short_empty_elements=False)


def _strip(element: ET.Element) -> None:
    for child in list(element):
        if child.tag.rpartition("}")[2] in _DROPPED:
            element.remove(child)
        else:
            _strip(child)


def _plain(element: ET.Element, prefix: str) -> None:
    attributes: dict[str, str] = {}
    for name, value in element.attrib.items():
        if name == "style":
            attributes |= _declarations(value)
        elif name == _XLINK_HREF or name == "href":
            attributes["href"] = value
        elif not name.startswith(("{", "on")):
            attributes[name] = value
    for name, value in attributes.items():
        if name == "id":
            attributes[name] = f"{prefix}-{value}"
        elif name == "href":
            attributes[name] = f"#{prefix}-{value.removeprefix('#')}"
        else:
            attributes[name] = _URL.sub(rf"url(#{prefix}-\1)", value)
    element.attrib.clear()
    element.attrib.update(attributes)


def _declarations(style: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":
            match = _FONT.fullmatch(value)
            if match is not None:
                found |= {
                    f"font-{part}": word for part, word in match.groupdict().items() if word is not None
                }
        elif name:
            found[name] = value
    return found
