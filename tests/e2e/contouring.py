"""A hand that draws on the contouring screen."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

from equipoise.imaging.mask import Mask, decode_mask
from tests.e2e import world as e2e

_KEPT = """() => new Promise((done) => {
  const asked = indexedDB.open("equipoise-drawing");
  asked.onsuccess = () => {
    const db = asked.result;
    const close = (value) => { db.close(); done(value); };
    if (!db.objectStoreNames.contains("drawing")) { close(null); return; }
    const all = db.transaction("drawing").objectStore("drawing").getAll();
    all.onsuccess = () => close(all.result[0] ?? null);
  };
})"""
AXIAL = "Axial slice, to draw on"


@dataclass
class Hand:
    """Works the mouse in image pixels of the axial pane, as it stands unzoomed, and looks at what the page keeps."""

    page: Page
    rows: int
    columns: int
    row_mm: float = 1.0
    column_mm: float = 1.0

    def drawing(self, *, acts: int = 1) -> dict[str, Any]:
        """Return the drawing that the page keeps in the browser, once it has so many acts."""
        for _ in range(100):
            kept: dict[str, Any] | None = self.page.evaluate(_KEPT)
            if kept is not None and len(kept["acts"]) >= acts:
                return kept
            self.page.wait_for_timeout(50)
        raise AssertionError("The drawing was not kept.")

    def mask(self, *, acts: int = 1) -> Mask:
        """Return the drawn voxels."""
        return decode_mask(base64.b64decode(self.drawing(acts=acts)["mask"]))

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where an image point lies in the window."""
        box = self.page.get_by_role("img", name=AXIAL).bounding_box()
        assert box is not None
        per_mm = min(
            box["width"] / (self.columns * self.column_mm), box["height"] / (self.rows * self.row_mm)
        )
        return (
            box["x"] + box["width"] / 2 + (x - (self.columns - 1) / 2) * per_mm * self.column_mm,
            box["y"] + box["height"] / 2 + (y - (self.rows - 1) / 2) * per_mm * self.row_mm,
        )

    def press(self, *keys: str) -> None:
        """Press keys one after another."""
        for key in keys:
            self.page.keyboard.press(key)

    def draw(self, points: NDArray[np.floating] | list[tuple[float, float]]) -> None:
        """Go through points with the left button down."""
        first, *rest = [self.at(float(x), float(y)) for x, y in points]
        self.page.mouse.move(*first)
        self.page.mouse.down()
        for point in rest:
            self.page.mouse.move(*point)
        self.page.mouse.up()

    def click(self, x: float, y: float) -> None:
        """Click on an image point."""
        self.page.mouse.click(*self.at(x, y))

    def shown(self) -> list[str]:
        """Return a hash of every canvas, with the pointer out of the way."""
        self.page.mouse.move(2, 2)
        return e2e.pane_hashes(self.page)


def circle(x: float, y: float, radius: float, n: int = 32) -> NDArray[np.float64]:
    """Return points around a circle."""
    angle = 2 * np.pi * np.arange(n + 1) / n
    return np.column_stack([x + radius * np.cos(angle), y + radius * np.sin(angle)])


def image_share(page: Page) -> float:
    """Return which part of the window is planes of the image, and the surface beside them where there is one."""
    share: float = page.evaluate(
        """() => [...document.querySelectorAll("main [role=img]")]
          .filter((each) => each.getAttribute("aria-label") !== "Slices")
          .reduce((sum, each) => sum + each.clientWidth * each.clientHeight, 0) / (innerWidth * innerHeight)"""
    )
    return share


CLIPPED = """() => [...document.querySelectorAll("header *, footer label, footer button, [role=toolbar] button")]
  .filter((each) => {
    const box = each.getBoundingClientRect();
    const below = (x) => document.elementFromPoint(x, (box.top + box.bottom) / 2);
    const ends = each.closest("header") ? [] : [below(box.left + 2), below(box.right - 2)];
    if (ends.some((one) => one !== null && !each.contains(one) && one.closest("label, button") !== null)) return true;
    const words = each.tagName === "BUTTON" ? [each, ...each.querySelectorAll("span")] : [];
    const over = words.some((one) => getComputedStyle(one).display !== "inline"
      && (one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1));
    return over || box.right > innerWidth || box.bottom > innerHeight || box.left < 0;
  })
  .map((each) => each.textContent || each.getAttribute("aria-label"))"""
"""Which controls do not fit into the window, their words into them, or lie on one another."""
