"""The published networks built in Keras itself, from the published layer table, with random weights."""

from types import ModuleType
from typing import Any

import numpy as np


def keras_unet(
    keras: ModuleType, *, width: int = 64, size: int | None = None, activation: str = "relu"
) -> Any:
    """Build the published U-Net: channels last, `same` padding, skips first in each concatenation."""
    layers = keras.layers

    def conv(x: Any, filters: int, kernel: int = 3) -> Any:
        return layers.Conv2D(filters, kernel, padding="same", activation=activation)(x)

    image = layers.Input((size, size, 1))
    x = image
    skips = []
    for level in range(4):
        x = conv(conv(x, width << level), width << level)
        if level == 3:
            x = layers.Dropout(0.5)(x)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.5)(conv(conv(x, width << 4), width << 4))
    for level in reversed(range(4)):
        x = conv(layers.UpSampling2D(2)(x), width << level, 2)
        x = layers.Concatenate(axis=3)([skips[level], x])
        x = conv(conv(x, width << level), width << level)
    x = conv(x, 2)
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x))


def keras_vgg(keras: ModuleType, *, width: int = 64, units: int = 512, size: int | None = None) -> Any:
    """Build VGG16's features, global average pooling, a hidden and a softmax layer."""
    layers = keras.layers
    image = layers.Input((size, size, 3))
    x = image
    for block, (count, factor) in enumerate(((2, 1), (2, 2), (3, 4), (3, 8), (3, 8)), start=1):
        for number in range(1, count + 1):
            name = f"block{block}_conv{number}"
            x = layers.Conv2D(factor * width, 3, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(units, activation="relu")(x)
    return keras.Model(image, layers.Dense(2, activation="softmax")(x))


def set_random_weights(model: Any, *, seed: int) -> None:
    """Draw He-normal kernels and biases that are not 0."""
    rng = np.random.default_rng(seed)
    values = []
    for value in model.get_weights():
        spread = (2 / np.prod(value.shape[:-1])) ** 0.5 if value.ndim > 1 else 0.1
        values.append((rng.standard_normal(value.shape) * spread).astype(np.float32))
    model.set_weights(values)
