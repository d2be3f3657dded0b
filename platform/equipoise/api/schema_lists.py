"""The OpenAPI document says how whole lists are filtered and paged; no view says it for itself."""

from typing import Any

from equipoise.api.pagination import MAX_PAGE_SIZE

Document = dict[str, Any]

_PAGE = [
    {
        "in": "query",
        "name": "page_size",
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE},
        "description": "Rows of a page; the list is whole without it.",
    },
    {
        "in": "query",
        "name": "cursor",
        "schema": {"type": "string"},
        "description": "The last row that the caller has; `next` holds it.",
    },
]
_NEXT = {
    "type": ["string", "null"],
    "format": "uri",
    "readOnly": True,
    "description": "Where the next page is; only where `page_size` was sent.",
}


def whole_lists_describe(result: Document, **_: Any) -> Document:
    """Add to every list that is read whole the parameters that filter and page it, and the address of a next page."""
    components = result["components"]["schemas"]
    for operations in result["paths"].values():
        operation = operations.get("get")
        name = _list_component(operation, components) if operation else None
        if name is None:
            continue
        row = _resolved(components[name]["properties"]["results"]["items"], components)
        fields = [one for one, shape in row.get("properties", {}).items() if _is_plain(shape, components)]
        operation["parameters"] = [*operation.get("parameters", []), *_PAGE, *map(_filter, fields)]
    for operations in result["paths"].values():
        name = _list_component(operations["get"], components) if "get" in operations else None
        if name is not None:
            components[name]["properties"]["next"] = dict(_NEXT)
    return result


def _list_component(operation: Document, components: Document) -> str | None:
    """Return the component of an answer that is a whole list; None of anything else."""
    content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
    properties = components.get(name, {}).get("properties", {})
    is_list = properties.get("results", {}).get("type") == "array"
    return name if is_list and "next" not in properties else None


def _resolved(shape: Document, components: Document) -> Document:
    name = str(shape.get("$ref", "")).rpartition("/")[2]
    found: Document = components[name] if name else shape
    return found


def _is_plain(shape: Document, components: Document) -> bool:
    """Say whether a field holds words, whole numbers, or a list of them: what somebody would filter by."""
    shape = _resolved(shape, components)
    parts = [*shape.get("oneOf", []), *shape.get("allOf", []), *shape.get("anyOf", [])]
    if parts:
        return all(_is_plain(part, components) for part in parts)
    if shape.get("type") == "array":
        items = _resolved(shape["items"], components)
        return items.get("type") != "array" and _is_plain(items, components)
    types = shape.get("type", [])
    is_measured = "number" in types or shape.get("format") == "date-time"
    return (
        bool(types or "enum" in shape) and not is_measured and "object" not in types and "array" not in types
    )


def _filter(name: str) -> Document:
    return {
        "in": "query",
        "name": name,
        "schema": {"type": "array", "items": {"type": "string"}},
        "explode": True,
        "description": "Rows that say this; sent twice, rows that say either.",
    }
