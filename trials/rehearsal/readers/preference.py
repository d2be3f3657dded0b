"""A simulated reader of pairs of contours."""

from collections.abc import Mapping
from dataclasses import dataclass

from equipoise.simulation import PreferenceAnswer, PreferenceReader, stream
from trials.models import Reading
from trials.reading_tasks.preference.task import BLINDING_CHECK
from trials.rehearsal.readers.answers import SimulatedAnswer, Step, item_key

DONT_KNOW_SHARE = 0.4
"""How often a simulated reader has no idea which contour is the algorithm's; otherwise it guesses blindly."""


@dataclass(frozen=True)
class SimulatedPreference:
    """One reader of a preference trial.

    ``effects`` says, by item code, what the population adds to the preference for candidate b (logit scale); ``seed``
    and ``number`` name the reader's stream of random numbers, of which each reading has its own.
    """

    model: PreferenceReader
    effects: Mapping[str, float]
    seed: int
    number: int

    def answer(self, reading: Reading) -> SimulatedAnswer:
        """Choose a side, or in the blinding check guess: the model knows no more than a blinded reader."""
        answer = self.model.answer(
            stream(self.seed, self.number, reading.position, item_key(reading.item)),
            side_b="left" if reading.left_id == reading.item.candidate_b_id else "right",
            effect_logit=self.effects.get(reading.item.code, 0.0),
            position=reading.position,
        )
        choice = self._choice(reading, answer)
        return SimulatedAnswer(
            body={
                "choice": choice,
                "reason_code": "image_quality" if choice == "cannot_assess" else None,
                "comment": "",
            },
            steps=_steps(answer, choice),
        )

    def _choice(self, reading: Reading, answer: PreferenceAnswer) -> str:
        if reading.phase != BLINDING_CHECK:
            return answer.choice
        rng = stream(self.seed, self.number, reading.position)
        if rng.random() < DONT_KNOW_SHARE:
            return "dont_know"
        return "left" if rng.random() < 0.5 else "right"


def _steps(answer: PreferenceAnswer, choice: str) -> tuple[Step, ...]:
    decided, last = answer.decision_s, answer.changes - 1
    return (
        ("first_paint", 0.0, {}),
        *(("pointer", decided * share, {}) for share in (0.2, 0.5, 0.8)),
        *(
            ("answer_change", decided * (1.0 if number == last else 0.9), {"choice": choice})
            for number in range(answer.changes)
        ),
        ("submit", answer.wall_s, {}),
    )
