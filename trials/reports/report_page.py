"""The parts that a report's page is made of: escaped, without script, with one style that the page's policy names."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe


def page(title: str, body: SafeString) -> str:
    style = (resources.files("trials.templates") / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{digest}'"
    return str(
        format_html(
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta http-equiv="Content-Security-Policy" content="{}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            "<title>{} - report</title><style>{}</style></head><body><main>{}</main></body></html>\n",
            policy,
            title,
            mark_safe(style),  # noqa: S308 - our own file
            body,
        )
    )


def section(anchor: str, title: str, *parts: SafeString) -> SafeString:
    return format_html('<section id="{}"><h2>{}</h2>{}</section>', anchor, title, joined(parts))


def joined(parts: Iterable[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))


def paragraphs(sentences: Iterable[str], kind: str = "") -> SafeString:
    return format_html_join("", '<p class="{}">{}</p>', ((kind, one) for one in sentences if one))


def heading(words: str, anchor: str = "") -> SafeString:
    return format_html('<h3 id="{}">{}</h3>', anchor, words) if anchor else format_html("<h3>{}</h3>", words)


def facts_list(rows: Iterable[tuple[str, Any]]) -> SafeString:
    told = ((name, value) for name, value in rows if value not in (None, "", ()))
    return format_html("<dl>{}</dl>", format_html_join("", "<dt>{}</dt><dd>{}</dd>", told))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> SafeString:
    head = format_html_join("", '<th scope="col">{}</th>', ((one,) for one in columns))
    body = format_html_join(
        "", "<tr>{}</tr>", ((format_html_join("", "{}", ((_cell(v),) for v in row)),) for row in rows)
    )
    told = format_html("<caption>{}</caption>", caption) if caption else ""
    return format_html(
        '<div class="scroll"><table>{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        told,
        head,
        body,
    )


def _cell(value: Any) -> SafeString:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return format_html("<td>{}</td>", "" if value is None else value)
    return format_html('<td class="number" data-value="{}">{}</td>', repr(value), shown(value))


def shown(value: float | None) -> str:
    """Return a number as the report prints it: whole, or with four significant digits."""
    if value is None:
        return "not available"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        return str(int(value))
    return f"{value:.4g}"


def counts_words(counts: Mapping[str, int], words: Mapping[str, str] | None = None) -> str:
    names = words or {}
    return ", ".join(
        f"{count} {names.get(key, key.replace('_', ' '))}" for key, count in counts.items() if count
    )
