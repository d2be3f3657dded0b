"""Results, figures first, then a sentence for each finding, then numbers and tables; and the methods behind them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from equipoise.analysis.plan import ALL_SUBMITTED
from trials.reports.inline_svg import inline_svg
from trials.reports.report_page import facts_list, heading, joined, paragraphs, section, shown, table
from trials.reports.results import ReportedResult
from trials.selectors.report import APPARENT, ReportFacts

WITH_ALGORITHM = frozenset(
    {"preference", "roc", "mrmc", "operating-point", "observer-variability", "segmentation-performance"}
)
"""Analyses of what an algorithm gave, alone or beside readers."""
BESIDE_THE_PLAN = (
    "The plan names this analysis, but not with the options of this run, which stand under Methods. The run as planned "
    "is reported by itself."
)
FULL_SET = "All submitted readings, beside the planned analysis of the per-protocol set."
OF_A_PART = "Exploratory: of a part of the readings, chosen after unblinding."
OF_PARTS = (
    "Exploratory analyses of a group of readers, a condition or a stratum of cases were looked at too. The newest of "
    "each part is reported above; so often each was made:"
)
_MAX_ROWS = 60
"""Of a table that is printed whole; a longer one stands in the bundle as CSV."""
_SMALLEST_P = 0.0001


def apparent_note(facts: ReportFacts) -> str:
    names = [one.name for one in facts.algorithms if one.is_apparent]
    if not names:
        return ""
    return f"Results of {', '.join(names)} are {APPARENT}: cases were used to make it, or it is not known if any was."


def results_section(
    facts: ReportFacts, results: Sequence[ReportedResult], not_computed: Mapping[str, str]
) -> SafeString:
    parts: list[SafeString] = []
    for place, one in enumerate(results):
        told = one.told
        parts.append(
            format_html(
                '<article class="{}"><h3 id="result-{}">{} <span class="mark {}">{}</span></h3>{}{}{}{}{}{}</article>',
                told["role"],
                one.key,
                _title(one),
                told["role"],
                told["role"],
                paragraphs(_place_words(one), "note"),
                _figures(one, place, "" if one.data else _mark_of(facts, told["name"])),
                paragraphs(told["findings"], "finding"),
                paragraphs(told["notes"], "note"),
                _numbers(told),
                _result_tables(one),
            )
        )
    if facts.conduct.analyses_of_parts:
        parts.append(heading("Computed of a part of the readings"))
        parts.append(paragraphs([OF_PARTS, f"{'; '.join(facts.conduct.analyses_of_parts)}."]))
    if not_computed:
        parts.append(heading("Not computed"))
        parts.append(paragraphs(f"{name}: {why}" for name, why in not_computed.items()))
    if not parts:
        parts.append(paragraphs(["Nothing was computed."]))
    words = "Endpoints of the plan are marked primary or secondary; everything else is exploratory."
    return section("results", "Results", paragraphs([words, apparent_note(facts)]), *parts)


def _place_words(one: ReportedResult) -> list[str]:
    if one.where:
        return [OF_A_PART]
    return [BESIDE_THE_PLAN] if one.is_beside_the_plan else [FULL_SET] if one.is_full_set else []


def _title(one: ReportedResult) -> str:
    title = f"{one.told['title']}, external data: {one.data}" if one.data else str(one.told["title"])
    if one.where:
        return f"{title}, where {' and '.join(f'{column} is {value}' for column, value in sorted(one.where.items()))}"
    return f"{title}, all submitted readings" if one.is_full_set else title


def _mark_of(facts: ReportFacts, name: str) -> str:
    """Return what is printed on the figures of an analysis that an algorithm takes part in, if its cases were seen."""
    names = [one.name for one in facts.algorithms if one.is_apparent]
    return f"{APPARENT} of {', '.join(names)}" if names and name in WITH_ALGORITHM else ""


def _figures(one: ReportedResult, place: int, mark: str) -> SafeString:
    figures = []
    for name in one.told["figures"]:
        figure = one.told["figures"][name]
        path = one.folder / "figures" / f"{name}.svg"
        if path.is_file():
            drawn = inline_svg(
                path.read_text(encoding="utf-8"), prefix=f"f{place}-{name}", label=figure["title"]
            )
            figures.append(
                format_html(
                    "<figure>{}<figcaption><strong>{}</strong> {}{}</figcaption></figure>",
                    mark_safe(drawn),  # noqa: S308 - stripped to drawing, attributes escaped by the serialiser
                    figure["title"],
                    figure["caption"],
                    format_html(' <span class="mark apparent">{}</span>', mark) if mark else "",
                )
            )
    return joined(figures)


def _numbers(told: Mapping[str, Any]) -> SafeString:
    """Print every reported number; the full value stands beside the rounded one, for whoever compares."""
    rows = format_html_join("", "{}", ((_number(number),) for number in told["numbers"]))
    columns = ("Number", "Of", "Value", "Interval", "p", "n", "Missing", "Method")
    head = format_html_join("", '<th scope="col">{}</th>', ((one,) for one in columns))
    return format_html(
        '<details open class="numbers"><summary>All numbers ({})</summary><div class="scroll"><table><thead><tr>{}'
        "</tr></thead><tbody>{}</tbody></table></div></details>",
        len(told["numbers"]),
        head,
        rows,
    )


def _number(number: Mapping[str, Any]) -> SafeString:
    interval = number["interval"]
    bounds = (
        format_html(
            '<span data-low="{}" data-high="{}">{} to {} ({} %)</span>',
            repr(interval["low"]),
            repr(interval["high"]),
            shown(interval["low"]),
            shown(interval["high"]),
            shown(100 * interval["confidence_level"]),
        )
        if interval is not None
        else format_html("{}", number["reason"] or "")
    )
    pvalue = number["pvalue"]
    told = "" if pvalue is None else "< 0.0001" if pvalue < _SMALLEST_P else shown(pvalue)
    method = "; ".join(part for part in (number["method"], interval["method"] if interval else "") if part)
    value = "" if number["value"] is None else repr(number["value"])
    return format_html(
        '<tr data-number="{}" data-subject="{}"><td>{}</td><td>{}</td><td class="number" data-value="{}">{}{}</td>'
        '<td class="short">{}</td><td class="short" data-p="{}">{}</td><td class="number">{}</td>'
        "<td>{}</td><td>{}</td></tr>",
        number["quantity"],
        json.dumps(number["subject"], sort_keys=True),
        number["label"],
        ", ".join(number["subject"].values()),
        value,
        shown(number["value"]),
        f" {number['unit']}" if number["unit"] and number["value"] is not None else "",
        bounds,
        "" if pvalue is None else repr(pvalue),
        told,
        "" if number["n"] is None else number["n"],
        f"{number['n_missing']} {number['missing']}".strip() if number["n_missing"] else "",
        method,
    )


def _result_tables(one: ReportedResult) -> SafeString:
    parts = []
    for name, content in one.told["tables"].items():
        words = name.replace("_", " ").replace("-", " ")
        if len(content["rows"]) > _MAX_ROWS:
            place = f"results/{one.key}/tables/{name}.csv"
            parts.append(
                paragraphs([f"Table {words}: {len(content['rows'])} rows; in the bundle {place}."], "note")
            )
        else:
            parts.append(table(content["columns"], content["rows"], words))
    return joined(parts)


def methods_section(results: Sequence[ReportedResult]) -> SafeString:
    parts = []
    for result in results:
        one = result.told
        parameters = ", ".join(
            f"{name} = {value}" for name, value in one["parameters"].items() if value not in (None, "", [])
        )
        software = ", ".join(f"{name} {version}" for name, version in one["software"].items())
        parts.append(
            format_html(
                '<h3><a href="#result-{}">{}{}</a></h3>{}{}',
                result.key,
                _title(result),
                ", exploratory" if result.is_beside_the_plan else "",
                paragraphs([one["method"]]),
                facts_list(
                    [
                        ("Version", one["version"]),
                        ("Data", f"SHA-256 {one['data_sha256']}"),
                        ("Seed", one["rng_seed"]),
                        ("Confidence level", one["confidence_level"]),
                        ("Analysis set", one.get("analysis_set", ALL_SUBMITTED).replace("_", " ")),
                        ("Parameters", parameters),
                        ("Software", software),
                    ]
                ),
            )
        )
    words = (
        "Each number carries its method, and each analysis the version of its method and the hash of the tables that "
        "it was computed from. The bundle computes every number again from those tables. To keep this page as PDF, "
        "print it to a file in the browser."
    )
    return section("methods", "Methods", paragraphs([words]), *parts)
