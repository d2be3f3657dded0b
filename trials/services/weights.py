"""Weights are made known to the site: copied under the name of their hash, beside their card."""

import os
import shutil
import tempfile
from pathlib import Path

from django.db import transaction

from equipoise.audit.kinds import AuditKind
from equipoise.audit.services import chain_of, entry_append
from equipoise.inference.cards import ModelCard, card_path, read_card
from trials.selectors.weights import weights_folder
from trials.services.acts import Actor


def weights_register(path: Path, *, actor: Actor) -> ModelCard:
    """Copy weights and card to where workers look for them; what is there already stays.

    Raises
    ------
    WeightsError
        If the file is not what its card says, or of a format that could hold a program.
    """
    card = read_card(path)
    folder = weights_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    target = folder / f"{card.sha256}{path.suffix}"
    if target.exists():
        return card
    # The card first: a file of weights that can be seen has its card.
    for source, place in ((card_path(path), card_path(target)), (path, target)):
        descriptor, part = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as sink, source.open("rb") as stream:
                shutil.copyfileobj(stream, sink, 1024 * 1024)
                sink.flush()
                os.fsync(sink.fileno())
            Path(part).chmod(0o640)
            Path(part).rename(place)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    read_card(target)
    with transaction.atomic():
        entry_append(
            chain=chain_of(None),
            kind=AuditKind.WEIGHTS_REGISTERED,
            actor_id=actor.account_id,
            origin=actor.origin,
            subject=f"weights:{card.sha256}",
            after={"name": card.name, "version": card.version},
        )
    return card
