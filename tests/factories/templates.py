"""An open trial of any shipped template for tests: few small cases of the kind that its task reads."""

from typing import Any

from equipoise.common.permissions import Role
from tests.factories.accounts import AccountFactory
from tests.factories.bone_scans import scan_case, truth_csv
from tests.factories.trials import PreferenceWorld, phantom_case
from trials.domain.protocol.document import check_text, to_yaml
from trials.domain.states import TrialAction
from trials.models import CasePurpose, Participant
from trials.selectors.protocol import protocol_current
from trials.selectors.templates import template
from trials.services.acts import Actor
from trials.services.external import external_table_import
from trials.services.invitation import membership_create
from trials.services.items import items_draw
from trials.services.reference import references_import
from trials.services.trial import trial_create

CASES_OF_SETS = 8
"""Of two blocks, or of an overlap of two and two subsets: enough diseased and other cases for every reader."""


def template_document(name: str, *, cases: int, readers: int, **changes: Any) -> dict[str, Any]:
    """Return a shipped protocol for a few cases and readers, of parallel groups and blocks of cases each.

    It has one practice case and one repeat where it has any. Blocks of cases are two; of subsets two share the cases
    that not everybody reads. ``changes`` are by dotted path.
    """
    document = check_text(template(name).text).document
    assert document is not None
    items, plan = document["items"], document["allocation"]
    if "selection" in items:
        items["selection"]["count"] = cases
    elif "count" in items:
        items["count"] = cases
    document["practice"]["count"] = min(1, document["practice"]["count"])
    design = plan.get("design", {})
    groups = len(design["conditions"]) if design.get("kind") == "parallel" else 1
    sets = design.get("case_sets")
    if sets is not None:
        groups = 2
        sets |= (
            {"blocks": 2} if sets["kind"] == "blocks" else {"readers_per_case": readers, "overlap_cases": 2}
        )
    for stratum in plan["strata"]:
        stratum["participants"] = readers * groups
    plan["min_case_distance"] = 1
    if "hidden_repeats" in plan:
        plan["hidden_repeats"].pop("percent", None)
        plan["hidden_repeats"] |= {"count": 1, "min_distance": 1}
    if "blinding_check" in plan:
        plan["blinding_check"]["pairs"] = min(1, plan["blinding_check"]["pairs"])
    for path, value in changes.items():
        holder = document
        *parents, last = path.split(".")
        for part in parents:
            holder = holder[part]
        holder[last] = value
    return document


def least_cases(name: str) -> int:
    """Return how many cases a template of :func:`template_document` needs at protocol lock."""
    document = check_text(template(name).text).document
    assert document is not None
    return CASES_OF_SETS if document["allocation"].get("design", {}).get("case_sets") else 2


def template_world(name: str, *, cases: int = 2, readers: int = 2) -> PreferenceWorld:
    """Return an open trial of a shipped template. Every other planar scan is diseased."""
    world = template_draft(name, cases=cases, readers=readers)
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)
    return world


def template_draft(name: str, *, cases: int, readers: int, **changes: Any) -> PreferenceWorld:
    """Return the same trial as a draft whose items are drawn; ``changes`` of the protocol are by dotted path."""
    document = template_document(name, cases=cases, readers=readers, **changes)
    administrator = AccountFactory.create()
    assert administrator.institute is not None
    trial = trial_create(
        slug=name,
        title=document["title"],
        protocol_text=to_yaml(document),
        institute=administrator.institute,
        creator=administrator,
        actor=Actor(account_id=administrator.id),
    )
    statistician = AccountFactory.create(institute=administrator.institute)
    world = PreferenceWorld(trial=trial, administrator=administrator, statistician=statistician)
    membership_create(trial, statistician, Role.UNBLINDED_STATISTICIAN, actor=world.actor)
    diseased = {}
    for number in range(cases + document["practice"]["count"]):
        purpose = CasePurpose.TRIAL if number < cases else CasePurpose.PRACTICE
        if document["items"]["unit"] == "scan":
            case = scan_case(trial, number=number, diseased=number % 2 == 1, purpose=purpose)
            diseased[case.code] = number % 2 == 1
        else:
            phantom_case(trial, number=number, purpose=purpose)
    if document["tasks"][0]["kind"] == "classification":
        references_import(trial, content=truth_csv(trial, diseased), actor=world.actor)
    items_draw(trial, actor=world.actor)
    return world


def follow_up_import(world: PreferenceWorld) -> None:
    """Import the follow-up that a template asks for, if it does: every other patient has died."""
    document = protocol_current(world.trial).document
    for declared in document.get("external_data", ()):
        codes = (
            world.trial.cases.filter(purpose=CasePurpose.TRIAL)
            .order_by("code")
            .values_list("code", flat=True)
        )
        rows = [f"{code},{90 + 37 * (number * 5 % 7)},{number % 2}" for number, code in enumerate(codes)]
        content = "\n".join(["case,time,event", *rows, ""]).encode()
        external_table_import(
            world.trial, content=content, file_name="follow-up.csv", actor=world.actor, key=declared["key"]
        )


def new_reader(world: PreferenceWorld) -> Participant:
    """Make somebody a reader of the trial who has not been there yet."""
    account = AccountFactory.create(institute=world.trial.institute)
    participant: Participant = membership_create(
        world.trial, account, Role.READER, actor=world.actor
    ).participant
    return participant
