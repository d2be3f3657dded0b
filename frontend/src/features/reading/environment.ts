/** What of the workplace bears on how an image is seen. Nothing that names the person or the browser. */
export function readingEnvironment(): Record<string, string | number | boolean> {
  return {
    viewer: "canvas2d/1",
    window_width_px: window.innerWidth,
    window_height_px: window.innerHeight,
    screen_width_px: window.screen.width,
    screen_height_px: window.screen.height,
    device_pixel_ratio: window.devicePixelRatio,
    colour_depth_bits: window.screen.colorDepth,
    touch_points: navigator.maxTouchPoints,
    processor_cores: navigator.hardwareConcurrency,
  };
}
