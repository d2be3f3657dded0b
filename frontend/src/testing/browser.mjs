/** Starts the machine's own Chromium for checks of the built pages. */
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** `noGpu`: as a hospital's virtual machine without any 3D interface. */
export function launch({ noGpu = false } = {}) {
  return chromium.launch({
    executablePath: process.env.EQUIPOISE_CHROMIUM ?? "/usr/bin/chromium",
    args: noGpu ? [...FLAGS, "--disable-3d-apis"] : FLAGS,
  });
}
