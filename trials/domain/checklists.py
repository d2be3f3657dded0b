"""Reporting checklists, filled from what the platform knows of a trial: reported (and where), not reported, or not
applicable. The items are in our words; the statements themselves are the reference. A count of them is no score.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What became of an item."""

    REPORTED = "reported"
    NOT_REPORTED = "not reported"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Rule:
    """How an item is filled: the section that reports it, the fact it needs, and what makes it not applicable."""

    section: str = ""
    """Anchor of the report's section; empty for what only the paper can say."""
    needs: str = ""
    """A fact without which the section says nothing of it."""
    only_if: str = ""
    """A fact without which the item does not apply."""


@dataclass(frozen=True)
class Item:
    """One item of a checklist."""

    number: str
    text: str
    rule: Rule


@dataclass(frozen=True)
class FilledItem:
    """One item as this trial reports it; ``why`` says what is missing or why it does not apply."""

    number: str
    text: str
    status: Status
    section: str
    why: str


@dataclass(frozen=True)
class Checklist:
    """One statement's items."""

    key: str
    title: str
    source: str
    note: str
    items: tuple[Item, ...]

    def filled(self, facts: Mapping[str, bool]) -> tuple[FilledItem, ...]:
        """Return the items with their status by the facts of :data:`FACTS`."""
        return tuple(_filled(item, facts) for item in self.items)


FACTS: dict[str, str] = {
    "registered": "no register and number",
    "ethics": "no ethics reference",
    "algorithm": "no algorithm takes part",
    "model_version": "no model version with the hash of its weights",
    "threshold": "no operating threshold with the data it came from",
    "training_use": "no word per case on its use in training",
    "training_use_no": "cases were used in training, or it is not known",
    "failures": "no results of algorithms",
    "reference": "there is no reference standard of cases",
    "labellers": "no source or labellers of the reference standard",
    "sample_size": "no rationale of the sample size",
    "hypothesis": "no hypothesis",
    "estimand": "no estimand",
    "missing_rule": "no rule for missing readings",
    "sensitivity": "no sensitivity analysis in the plan",
    "quality": "no limits on images in the protocol",
    "experience": "readers did not state their experience",
    "covariates": "cases have no covariates",
    "summary": "the protocol has no summary",
    "repeats": "nothing was read twice",
    "accuracy": "no analysis of accuracy",
    "intervals": "no number with an interval",
    "aid": "readers are shown no result of an algorithm",
    "heat_maps": "no heat maps",
}
"""Facts by key, and the words for where one is missing."""

_PAPER = Rule()


def _at(section: str, needs: str = "", only_if: str = "") -> Rule:
    return Rule(section, needs, only_if)


def _paper(only_if: str = "") -> Rule:
    return Rule("", "", only_if)


def _filled(item: Item, facts: Mapping[str, bool]) -> FilledItem:
    rule = item.rule
    if rule.only_if and not facts[rule.only_if]:
        return FilledItem(item.number, item.text, Status.NOT_APPLICABLE, "", FACTS[rule.only_if])
    if not rule.section:
        return FilledItem(
            item.number, item.text, Status.NOT_REPORTED, "", "for the paper: not in the database"
        )
    if rule.needs and not facts[rule.needs]:
        return FilledItem(item.number, item.text, Status.NOT_REPORTED, "", FACTS[rule.needs])
    return FilledItem(item.number, item.text, Status.REPORTED, rule.section, "")


def _items(*rows: tuple[str, str, Rule]) -> tuple[Item, ...]:
    return tuple(Item(*row) for row in rows)


CLAIM = Checklist(
    "claim",
    "CLAIM 2024",
    "Tejani AS and others, Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 update, Radiol Artif "
    "Intell 2024;6:e240300",
    "For studies of AI in imaging. What a model was trained on and how is its makers' to report.",
    _items(
        ("1", "Title or abstract names the AI technology", _at("design", only_if="algorithm")),
        ("2", "Structured abstract", _PAPER),
        ("3", "Background, intended use and role of the AI", _PAPER),
        ("4", "Aims and hypotheses", _at("plan", "hypothesis")),
        ("5", "Prospective or retrospective", _PAPER),
        ("6", "Goal of the study", _at("design", "summary")),
        ("7", "Sources of the data", _PAPER),
        ("8", "Inclusion and exclusion of cases", _at("flow")),
        ("9", "Preprocessing of the data", _at("material")),
        ("10", "Selection of parts of the data", _at("material")),
        ("11", "De-identification", _at("material")),
        ("12", "Handling of missing data", _at("plan", "missing_rule")),
        ("13", "Image acquisition", _at("material", "quality")),
        ("14", "How the reference standard was obtained", _at("material", "labellers", "reference")),
        ("15", "Why that reference standard", _paper("reference")),
        (
            "16",
            "Who made the annotations, and their qualification",
            _at("material", "labellers", "reference"),
        ),
        ("17", "Annotation of the test cases", _at("material", "labellers", "reference")),
        ("18", "Variability between and within annotators", _paper("reference")),
        ("19", "Assignment of cases to training and test", _at("algorithms", "training_use", "algorithm")),
        ("20", "Level at which they are disjoint", _at("algorithms", "training_use", "algorithm")),
        ("21", "Intended sample size", _at("plan", "sample_size")),
        ("22", "The model: inputs, outputs, layers", _paper("algorithm")),
        ("23", "Software", _at("methods")),
        ("24", "Initial parameters of the model", _paper("algorithm")),
        ("25", "Training", _paper("algorithm")),
        ("26", "Choice of the final model", _at("algorithms", "model_version", "algorithm")),
        ("27", "Ensembles", _paper("algorithm")),
        ("28", "Measures of performance", _at("results")),
        ("29", "Measures of significance and uncertainty", _at("results", "intervals")),
        ("30", "Robustness or sensitivity analysis", _at("plan", "sensitivity")),
        ("31", "Explanation of the model's output", _at("algorithms", "heat_maps", "algorithm")),
        ("32", "Evaluation on internal data", _paper("algorithm")),
        ("33", "Test on data from elsewhere", _at("algorithms", "training_use_no", "algorithm")),
        ("34", "Registration", _at("design", "registered")),
        ("35", "Numbers included and excluded, as a diagram", _at("flow")),
        ("36", "Characteristics of the cases", _at("material", "covariates")),
        ("37", "Performance with uncertainty", _at("results", "intervals")),
        ("38", "Diagnostic accuracy with precision", _at("results", "intervals", "accuracy")),
        ("39", "Analysis of failures", _at("algorithms", "failures", "algorithm")),
        ("40", "Limitations", _PAPER),
        ("41", "Implications for practice", _PAPER),
        ("42", "Access to the full protocol", _at("design")),
        ("43", "Availability of software, model and data", _PAPER),
        ("44", "Funding", _PAPER),
    ),
)

STARD = Checklist(
    "stard",
    "STARD 2015",
    "Bossuyt PM and others, STARD 2015, BMJ 2015;351:h5527",
    "For studies of diagnostic accuracy against a reference standard.",
    _items(
        ("1", "Title names a study of accuracy and a measure of it", _PAPER),
        ("2", "Structured abstract", _PAPER),
        ("3", "Background, intended use and role of the index test", _PAPER),
        ("4", "Objectives and hypotheses", _at("plan", "hypothesis")),
        ("5", "Data collected before or after the tests", _PAPER),
        ("6", "Eligibility criteria", _at("material", "quality")),
        ("7", "How eligible patients were found", _PAPER),
        ("8", "Where and when they were found", _PAPER),
        ("9", "Consecutive, random or convenience series", _PAPER),
        ("10a", "Index test in enough detail to repeat it", _at("design")),
        ("10b", "Reference standard in enough detail to repeat it", _at("material", "labellers")),
        ("11", "Why that reference standard", _PAPER),
        ("12a", "Cut-offs of the index test, prespecified or not", _at("algorithms", "threshold")),
        ("12b", "Cut-offs of the reference standard", _PAPER),
        ("13a", "What readers of the index test knew", _at("blinding")),
        ("13b", "What assessors of the reference standard knew", _at("material", "labellers")),
        ("14", "Methods for estimating or comparing accuracy", _at("methods")),
        ("15", "Indeterminate results", _at("plan", "missing_rule")),
        ("16", "Missing data", _at("plan", "missing_rule")),
        ("17", "Analyses of variability, prespecified or not", _at("methods")),
        ("18", "Intended sample size", _at("plan", "sample_size")),
        ("19", "Flow diagram", _at("flow")),
        ("20", "Characteristics of patients", _at("material", "covariates")),
        ("21a", "Severity of disease in those with it", _PAPER),
        ("21b", "Other diagnoses in those without it", _PAPER),
        ("22", "Interval between index test and reference standard", _PAPER),
        ("23", "Cross tabulation, or distribution, of the results", _at("results")),
        ("24", "Accuracy with precision", _at("results", "intervals")),
        ("25", "Adverse events", _paper()),
        ("26", "Limitations", _PAPER),
        ("27", "Implications for practice", _PAPER),
        ("28", "Registration", _at("design", "registered")),
        ("29", "Access to the full protocol", _at("design")),
        ("30", "Funding", _PAPER),
    ),
)

STARD_AI = Checklist(
    "stard-ai",
    "STARD-AI (2025)",
    "Sounderajah V and others, The STARD-AI reporting guideline for diagnostic accuracy studies using artificial "
    "intelligence, Nat Med 2025",
    "What it asks beyond STARD 2015, by subject: the statement's own numbers are not given here.",
    _items(
        ("a", "The model: name, version, makers", _at("algorithms", "model_version")),
        ("b", "Intended users and their expertise", _at("readers", "experience")),
        ("c", "Sources and collection of the data set", _PAPER),
        ("d", "Preparation of the data", _at("material")),
        ("e", "Data of poor quality and their handling", _at("material", "quality")),
        ("f", "Separation from training and tuning data", _at("algorithms", "training_use")),
        ("g", "Operating threshold and the data it came from", _at("algorithms", "threshold")),
        ("h", "How people and the model work together", _at("design", "aid", "aid")),
        ("i", "Hardware and time of the model", _at("algorithms", "failures")),
        ("j", "Failed and empty results", _at("algorithms", "failures")),
        ("k", "Bias and fairness, accuracy by subgroup", _PAPER),
        ("l", "Test on data from elsewhere", _at("algorithms", "training_use_no")),
        ("m", "Availability of the model and its code", _PAPER),
        ("n", "Commercial interests", _PAPER),
    ),
)

GRRAS = Checklist(
    "grras",
    "GRRAS",
    "Kottner J and others, Guidelines for reporting reliability and agreement studies, J Clin Epidemiol 2011;64:96-106",
    "For agreement between and within readers.",
    _items(
        ("1", "Title or abstract names the study of agreement", _PAPER),
        ("2", "The measurement of interest", _at("design")),
        ("3", "The population of cases", _at("plan", "estimand")),
        ("4", "The population of readers", _at("plan", "estimand")),
        ("5", "What is known, and why the study", _PAPER),
        ("6", "Sample size: readers, cases, repeats", _at("plan", "sample_size")),
        ("7", "How cases and readers were sampled", _at("material")),
        ("8", "The rating: interval between repeats, information, blinding", _at("blinding")),
        ("9", "Whether ratings were independent", _at("blinding")),
        ("10", "Statistical analysis", _at("methods")),
        ("11", "Numbers of readers, cases and repeats", _at("flow")),
        ("12", "Characteristics of readers and cases", _at("readers", "experience")),
        ("13", "Estimates with uncertainty", _at("results", "intervals")),
        ("14", "Relevance to practice", _PAPER),
        ("15", "Detailed results", _at("results")),
    ),
)

SPIRIT_AI = Checklist(
    "spirit-ai",
    "SPIRIT-AI (2020), for the protocol",
    "Cruz Rivera S and others, Guidelines for clinical trial protocols for interventions involving artificial "
    "intelligence: the SPIRIT-AI extension, Nat Med 2020;26:1351-1363",
    "The items that it adds to SPIRIT 2013; where nobody is randomised to care they guide, and do not bind.",
    _items(
        ("1 (i)", "Title says that AI is involved, and which kind", _PAPER),
        ("1 (ii)", "Intended use of the AI", _PAPER),
        ("6a (i)", "Intended use in the clinical pathway, and users", _PAPER),
        ("6a (ii)", "Evidence so far", _PAPER),
        ("9", "What the site needs for it", _PAPER),
        ("10 (i)", "Inclusion and exclusion of participants", _at("material")),
        ("10 (ii)", "Inclusion and exclusion of input data", _at("material", "quality")),
        ("11a (i)", "Version of the algorithm", _at("algorithms", "model_version")),
        ("11a (ii)", "How input data are acquired and chosen", _at("material")),
        ("11a (iii)", "Input of poor quality or not available", _at("material", "quality")),
        ("11a (iv)", "People's part in handling input, and their expertise", _at("readers", "experience")),
        ("11a (v)", "Output of the AI", _at("design")),
        ("11a (vi)", "How the output enters decisions", _at("design", "aid", "aid")),
        ("22", "Analysis of errors", _at("algorithms", "failures")),
        ("29", "Access to the AI or its code", _PAPER),
    ),
)

NOT_OFFERED = (
    "CONSORT-AI is for trials that randomise patients to parallel arms of care, and DECIDE-AI for first use in live "
    "care: this is a reader study, and neither is offered."
)


def checklists_for(facts: Mapping[str, bool], *, agreement: bool) -> tuple[Checklist, ...]:
    """Return the checklists that suit the trial."""
    chosen = []
    if facts["algorithm"]:
        chosen.append(CLAIM)
    if facts["reference"] and facts["accuracy"]:
        chosen.append(STARD)
        if facts["algorithm"]:
            chosen.append(STARD_AI)
    if agreement:
        chosen.append(GRRAS)
    if facts["algorithm"]:
        chosen.append(SPIRIT_AI)
    return tuple(chosen)
