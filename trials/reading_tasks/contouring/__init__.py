"""One volume, outlined by hand: nothing is drawn beforehand, and the mask comes back on the image's own voxels."""
