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
    try:
        from equipoise.inference.weights import import_weights, save_weights
    except ImportError as error:
        raise BadInputError("Converting weights needs torch: install equipoise[inference].") from error
    with refuse(InferenceError, OSError):
        network = import_weights(source, described, head_seed=head_seed)
        written = save_weights(network, target, described)
    count = sum(parameter.numel() for parameter in network.parameters())
    typer.echo(f"{target.name}: {count:,} parameters, {written.model_id}")


@app.command()
def show(path: Annotated[Path, typer.Argument(help="A .safetensors file with its card.")]) -> None:
    """Check the weights against their card's hash and print the card."""
    from equipoise.inference.cards import read_card
    from equipoise.inference.errors import InferenceError

    with refuse(InferenceError, OSError):
        card = read_card(path)
    typer.echo(json.dumps(card.as_json(), indent=2, ensure_ascii=False))
