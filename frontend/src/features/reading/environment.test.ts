import { expect, test } from "vitest";
import { changingPart, estimatedZoomPercent, readingEnvironment, rendererOf } from "./environment";

const zoom = (outerWidth: number, innerWidth: number, devicePixelRatio: number, outerIsUnzoomed = true) =>
  estimatedZoomPercent({ outerWidth, innerWidth, devicePixelRatio, outerIsUnzoomed });

test.each([
  ["not zoomed, full screen", 1920, 1920, 1, 100],
  ["not zoomed, in a frame", 1296, 1280, 1, 100],
  ["not zoomed on a display of scale 1.25", 1536, 1536, 1.25, 100],
  ["zoomed to 110 %", 1920, 1745, 1.1, 110],
  ["zoomed to 150 % on a display of scale 2", 1440, 960, 3, 150],
  ["zoomed to 67 %", 1920, 2866, 0.67, 67],
])("the zoom is told where one step alone explains it: %s", (_, outer, inner, ratio, percent) => {
  expect(zoom(outer, inner, ratio)).toBe(percent);
});

test.each([
  ["a side panel takes the width that a zoom of 110 % would", zoom(1920, 1745, 1)],
  ["a panel of another width", zoom(1920, 1600, 1)],
  ["the outer size is zoomed as well", zoom(1920, 1920, 1.5, false)],
  ["the window has no outer size", zoom(0, 1280, 1)],
  ["the pixel ratio is no system's", zoom(1920, 1920, 1.37)],
])("the zoom is unknown, not guessed: %s", (_, percent) => {
  expect(percent).toBeNull();
});

test("a renderer is told apart by its name, and is unknown where the name is hidden", () => {
  expect(rendererOf("ANGLE (NVIDIA, NVIDIA GeForce RTX 3060 Direct3D11 vs_5_0 ps_5_0, D3D11)")).toBe("hardware");
  expect(rendererOf("Intel(R) HD Graphics, or similar")).toBe("hardware");
  expect(
    rendererOf("ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)"),
  ).toBe("software");
  expect(rendererOf("llvmpipe (LLVM 15.0.7, 256 bits)")).toBe("software");
  expect(rendererOf("ANGLE (Microsoft, Microsoft Basic Render Driver Direct3D11)")).toBe("software");
  expect(rendererOf("WebKit WebGL")).toBeNull();
  expect(rendererOf(null)).toBeNull();
  expect(rendererOf("")).toBeNull();
});

test("a page without WebGL says so, and names its display by size, place and colours", () => {
  const account = readingEnvironment();
  expect(account.renderer).toBe("none");
  expect(account.renderer_name).toBeNull();
  const { width, height, colorDepth } = window.screen;
  expect(account.display.startsWith(`${width}x${height}+`)).toBe(true);
  expect(account.display.endsWith(`/${colorDepth}`)).toBe(true);
});

test("what a resize says is window, ratio, zoom and display", () => {
  expect(Object.keys(changingPart(readingEnvironment())).sort()).toEqual([
    "device_pixel_ratio",
    "display",
    "window_height_px",
    "window_width_px",
    "zoom_percent",
  ]);
});
