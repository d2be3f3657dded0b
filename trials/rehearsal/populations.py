"""From what a rehearsal is set to, the populations that its answers are drawn from. Pure: no rows."""

from equipoise.simulation import PreferencePopulation
from equipoise.simulation.roe_metz import RoeMetzModel
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.rehearsal import PreferenceSettings, RatingSettings


def preference_population(settings: PreferenceSettings) -> PreferencePopulation:
    """Return what a preference trial is drawn from."""
    return PreferencePopulation(**settings.model_dump())


def rating_model(protocol: ProtocolV1, settings: RatingSettings) -> tuple[tuple[str, ...], RoeMetzModel]:
    """Return the conditions of a trial of rated scans and the model that its scores follow."""
    aided = {condition.key: condition.aid is not None for condition in protocol.conditions} or {"": False}
    aucs = [
        settings.aucs.get(key, settings.auc_aided if has_aid else settings.auc_unaided)
        for key, has_aid in aided.items()
    ]
    names = (
        "var_reader",
        "var_reader_condition",
        "var_case",
        "var_case_condition",
        "var_reader_case",
        "var_error",
    )
    model = RoeMetzModel.with_aucs(aucs, **{name: getattr(settings, name) for name in names})
    return tuple(aided), model
