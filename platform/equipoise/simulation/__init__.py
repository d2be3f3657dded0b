"""Phantoms, simulated observers and simulated readers. Pure: numpy and scipy, every rng given by the caller."""

from equipoise.simulation.observer import ObserverModel, simulated_observer
from equipoise.simulation.preference_reader import PreferenceAnswer, PreferencePopulation, PreferenceReader
from equipoise.simulation.streams import stream
from equipoise.simulation.thorax import ThoraxPhantom, thorax_phantom
from equipoise.simulation.tumour import TumourSpec, random_tumour

__all__ = [
    "ObserverModel",
    "PreferenceAnswer",
    "PreferencePopulation",
    "PreferenceReader",
    "ThoraxPhantom",
    "TumourSpec",
    "random_tumour",
    "simulated_observer",
    "stream",
    "thorax_phantom",
]
