"""`equipoise weights`: convert, look at and check model weights."""

import json
from pathlib import Path
from typing import Annotated

import typer

from equipoise.cli.problems import BadInputError, refuse

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="Keras HDF5 (.h5) or a state dict as safetensors.")],
    target: Annotated[Path, typer.Argument(help="Where to write; a .safetensors file, its card beside it.")],
    card: Annotated[Path, typer.Option(help="JSON: name, version, architecture, shape, purpose, data ...")],
    head_seed: Annotated[
        int | None, typer.Option(help="Draw a new head for a VGG16 that has none of ours.")
    ] = None,
) -> None:
    """Convert weights by order and shape; refused wherever a layer does not match."""
    from equipoise.inference.cards import ModelCard
    from equipoise.inference.errors import InferenceError

    if target.suffix != ".safetensors":
        raise BadInputError(f"{target.name} must end in .safetensors.")
    if source.resolve() == target.resolve():
        raise BadInputError("The converted weights need a name of their own.")
    with refuse(InferenceError, OSError, ValueError, TypeError, about=str(card)):
        document = json.loads(card.read_text(encoding="utf-8"))
        described = ModelCard(**{key: v for key, v in document.items() if key != "input_contract"})
    from equipoise.inference.weight_files import convert_weights, write_state

    with refuse(InferenceError, OSError):
        state = convert_weights(source, described, head_seed=head_seed)
        written = write_state(state, target, described)
    count = sum(values.size for values in state.values())
    typer.echo(f"{target.name}: {count:,} parameters, {written.model_id}")


@app.command()
def show(path: Annotated[Path, typer.Argument(help="A .safetensors file with its card.")]) -> None:
    """Check the weights against their card's hash and print the card."""
    from equipoise.inference.cards import read_card
    from equipoise.inference.errors import InferenceError

    with refuse(InferenceError, OSError):
        card = read_card(path)
    typer.echo(json.dumps(card.as_json(), indent=2, ensure_ascii=False))


@app.command()
def register(
    path: Annotated[Path, typer.Argument(help="A .safetensors file with its card.")],
    account: Annotated[
        str,
        typer.Option("--as", envvar="EQUIPOISE_ACCOUNT", help="E-mail address of the account that acts."),
    ],
) -> None:
    """Make weights known to this site, so that trials can enrol them. For administrators of a trial or the site."""
    from equipoise.config.start import database_prepare, django_start

    django_start()
    database_prepare()
    from equipoise.accounts.models import Account
    from equipoise.audit.kinds import Origin
    from equipoise.common.errors import PermissionDeniedError
    from equipoise.common.permissions import Role
    from equipoise.inference.errors import InferenceError
    from trials.models import Membership
    from trials.services.acts import Actor
    from trials.services.weights import weights_register

    person = Account.objects.filter(email__iexact=account.strip(), is_active=True).first()
    if person is None:
        raise BadInputError(f"There is no active account {account}.")
    runs_a_trial = Membership.objects.filter(
        account=person, role__in=[Role.ADMINISTRATOR, Role.DATA_MANAGER], ended_at__isnull=True
    ).exists()
    if not (person.is_site_administrator or runs_a_trial):
        raise PermissionDeniedError(f"{account} administers neither the site nor a trial.")
    with refuse(InferenceError, OSError):
        card = weights_register(path, actor=Actor(account_id=person.id, origin=Origin.CLI))
    typer.echo(f"{card.name} {card.version} is registered: {card.sha256}")


@app.command()
def score(
    path: Annotated[Path, typer.Argument(help="A .safetensors file with its card.")],
    phantoms: Annotated[int, typer.Option(min=2, help="How many held-out phantoms.")] = 40,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the phantoms; by default the held-out one.")
    ] = None,
    runtime: Annotated[str, typer.Option(help="openvino, onnx, torch, or auto.")] = "onnx",
    precision: Annotated[str, typer.Option(help="fp32, bf16 or auto.")] = "fp32",
    write: Annotated[bool, typer.Option("--write", help="Write the scores into the card.")] = False,
) -> None:
    """Score a model on phantoms that it was not trained on: Dice, or the area under the ROC curve and its heat maps."""
    from dataclasses import replace

    from equipoise.cli.progress import with_progress
    from equipoise.common.errors import DomainError
    from equipoise.inference.cards import write_card
    from equipoise.inference.runtime import Runtime
    from equipoise.inference.training.scoring import (
        HELD_OUT_SEED,
        held_out_scores,
        score_classification,
        score_segmentation,
    )

    with refuse(DomainError, OSError, ValueError):
        model = Runtime.load(path, runtime=runtime, device="cpu", precision=precision)
        measure = score_segmentation if model.card.architecture == "unet" else score_classification
        numbers = with_progress(range(phantoms), label="phantoms")
        evaluation = measure(model, numbers, seed=HELD_OUT_SEED if seed is None else seed)
        if write:
            scores = {**model.card.scores, **held_out_scores(evaluation)}
            write_card(replace(model.card, scores=scores, evaluation=evaluation), path)
    typer.echo(json.dumps(evaluation, indent=2))
