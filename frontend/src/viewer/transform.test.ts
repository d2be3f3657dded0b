import { expect, test } from "vitest";
import { type ImageGrid, imagePoint, screenPoint } from "./coordinates";
import {
  deviceTransform,
  fitScale,
  isOneToOne,
  LARGEST_ZOOM,
  oneToOneZoom,
  type PaneSize,
  panned,
  toImage,
  toScreen,
  wholeImage,
  zoomedAt,
} from "./transform";

const square: ImageGrid = { rows: 512, columns: 512, rowSpacingMm: 0.8, columnSpacingMm: 0.8 };
const anisotropic: ImageGrid = { rows: 256, columns: 512, rowSpacingMm: 2, columnSpacingMm: 0.5 };
const pane: PaneSize = { width: 639, height: 681, pixelRatio: 1 };

test("zoom 1 fits the whole image, measured in millimetres", () => {
  expect(fitScale(square, pane)).toBeCloseTo(639 / (512 * 0.8), 12);
  expect(fitScale(anisotropic, pane)).toBeCloseTo(681 / (256 * 2), 12);
  expect(fitScale(anisotropic, { width: 2000, height: 512, pixelRatio: 1 })).toBeCloseTo(1, 12);
});

test("pixels with unequal spacing are drawn as long as they are wide in millimetres", () => {
  const transform = deviceTransform(anisotropic, wholeImage(anisotropic), pane);
  expect(transform.scaleY / transform.scaleX).toBeCloseTo(4, 12);
});

test("the corner lies on a whole device pixel at any pixel ratio", () => {
  for (const pixelRatio of [1, 1.25, 1.5, 2]) {
    const transform = deviceTransform(square, wholeImage(square), { ...pane, pixelRatio });
    expect(Number.isInteger(transform.left) && Number.isInteger(transform.top)).toBe(true);
  }
});

test("at 1:1 one image pixel is one device pixel, without rounding error", () => {
  for (const pixelRatio of [1, 1.25, 2]) {
    const size = { ...pane, pixelRatio };
    const view = { ...wholeImage(square), zoom: oneToOneZoom(square, size) };
    const transform = deviceTransform(square, view, size);
    expect(isOneToOne(transform)).toBe(true);
  }
});

test("screen and image points turn into each other", () => {
  const view = { zoom: 3.2, centre: imagePoint(100, 77) };
  const there = toScreen(imagePoint(12.5, 200), anisotropic, view, pane);
  const back = toImage(there, anisotropic, view, pane);
  expect(back.x).toBeCloseTo(12.5, 9);
  expect(back.y).toBeCloseTo(200, 9);
});

test("zooming keeps the image point under the cursor where it is", () => {
  const cursor = screenPoint(200, 500);
  const view = { zoom: 2, centre: imagePoint(250, 260) };
  const before = toImage(cursor, square, view, pane);
  const after = toImage(cursor, square, zoomedAt(view, square, pane, 1.7, cursor), pane);
  expect(after.x).toBeCloseTo(before.x, 9);
  expect(after.y).toBeCloseTo(before.y, 9);
});

test("zoom stops at its limit", () => {
  expect(zoomedAt(wholeImage(square), square, pane, 1000, screenPoint(10, 10)).zoom).toBe(LARGEST_ZOOM);
});

test("panning follows the hand and cannot lose the image", () => {
  const view = { zoom: 4, centre: imagePoint(255.5, 255.5) };
  const scale = fitScale(square, pane) * 4 * 0.8;
  expect(panned(view, square, pane, 10, 0).centre.x).toBeCloseTo(255.5 - 10 / scale, 9);
  expect(panned(view, square, pane, 1e6, -1e6).centre).toEqual({ x: 0, y: 511 });
});
