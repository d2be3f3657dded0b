"""Phantoms, simulated observers and simulated readers. Pure: numpy and scipy, every rng given by the caller."""

from equipoise.simulation.answers import AnswerPopulation, simulated_answers
from equipoise.simulation.bone_scan import BoneScanPhantom, bone_scan_phantom, random_metastases
from equipoise.simulation.brain import SEQUENCES, BrainPhantom, brain_phantom
from equipoise.simulation.contour_review_reader import ContourReviewAnswer, ContourReviewReader
from equipoise.simulation.contouring_reader import ContouringAnswer, ContouringReader
from equipoise.simulation.form_reader import FormAnswer, FormReader, form_truths
from equipoise.simulation.observer import ObserverModel, simulated_observer
from equipoise.simulation.overlap import OverlapPopulation, simulated_overlaps
from equipoise.simulation.preference_reader import PreferenceAnswer, PreferencePopulation, PreferenceReader
from equipoise.simulation.prognosis import PrognosisPopulation, SimulatedFollowUp, simulated_follow_up
from equipoise.simulation.rating_reader import RatingAnswer, RatingPopulation, RatingReader
from equipoise.simulation.streams import stream
from equipoise.simulation.study import StudyReadings, simulated_preferences, simulated_scores
from equipoise.simulation.thorax import ThoraxPhantom, thorax_phantom
from equipoise.simulation.tumour import TumourSpec, random_tumour

__all__ = [
    "SEQUENCES",
    "AnswerPopulation",
    "BoneScanPhantom",
    "BrainPhantom",
    "ContourReviewAnswer",
    "ContourReviewReader",
    "ContouringAnswer",
    "ContouringReader",
    "FormAnswer",
    "FormReader",
    "ObserverModel",
    "OverlapPopulation",
    "PreferenceAnswer",
    "PreferencePopulation",
    "PreferenceReader",
    "PrognosisPopulation",
    "RatingAnswer",
    "RatingPopulation",
    "RatingReader",
    "SimulatedFollowUp",
    "StudyReadings",
    "ThoraxPhantom",
    "TumourSpec",
    "bone_scan_phantom",
    "brain_phantom",
    "form_truths",
    "random_metastases",
    "random_tumour",
    "simulated_answers",
    "simulated_follow_up",
    "simulated_observer",
    "simulated_overlaps",
    "simulated_preferences",
    "simulated_scores",
    "stream",
    "thorax_phantom",
]
