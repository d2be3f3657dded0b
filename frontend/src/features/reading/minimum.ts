/**
 * The protocol's minimum, checked before a reading is opened. The server checks it again by the same rule and in the same
 * words (`trials/domain/environment.py`); one table of examples holds both to them.
 */
import type { ReaderState } from "@/api/types";
import type { EnvironmentAccount } from "./environment";

export type EnvironmentRule = NonNullable<ReaderState["environment"]>;
type Asked = Pick<EnvironmentRule, "minimum_window" | "minimum_colour_depth_bits">;
type Account = Readonly<Partial<Record<keyof EnvironmentAccount, unknown>>>;

export interface EnvironmentProblem {
  readonly code: string;
  /** What is wrong, with which value, and what would be right. */
  readonly message: string;
}

const UNZOOMED_PERCENT = 100;

function numberIn(account: Account, name: keyof EnvironmentAccount): number | null {
  const value = account[name];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function windowRemedy(account: Account, leastWidth: number, leastHeight: number): string {
  const zoom = numberIn(account, "zoom_percent");
  if (zoom !== null && zoom > UNZOOMED_PERCENT) {
    return `Enlarge the window or set the zoom to 100 % (it is ${Math.round(zoom)} %).`;
  }
  const width = numberIn(account, "screen_width_px");
  const height = numberIn(account, "screen_height_px");
  if (zoom !== null && width !== null && height !== null && (width < leastWidth || height < leastHeight)) {
    return `The screen is ${Math.round(width)} x ${Math.round(height)}: move the window to a larger display.`;
  }
  return "Enlarge the window or set the zoom to 100 %.";
}

function windowProblem(account: Account, asked: Asked): EnvironmentProblem | null {
  const least = asked.minimum_window;
  if (!least) return null;
  const width = numberIn(account, "window_width_px");
  const height = numberIn(account, "window_height_px");
  const needs = `this trial needs at least ${least.width_px} x ${least.height_px}`;
  if (width === null || height === null) {
    const message = `The browser does not tell the size of its window; ${needs}. Use another browser.`;
    return { code: "window_unknown", message };
  }
  if (width >= least.width_px && height >= least.height_px) return null;
  const remedy = windowRemedy(account, least.width_px, least.height_px);
  const size = `${Math.round(width)} x ${Math.round(height)}`;
  return { code: "window_too_small", message: `The window is ${size} CSS pixels; ${needs}. ${remedy}` };
}

function colourProblem(account: Account, asked: Asked): EnvironmentProblem | null {
  const least = asked.minimum_colour_depth_bits;
  if (least === null) return null;
  const depth = numberIn(account, "colour_depth_bits");
  if (depth === null) {
    return {
      code: "colours_unknown",
      message: `The browser does not tell the display's colours; this trial needs at least ${least} bits. Use another browser.`,
    };
  }
  if (depth >= least) return null;
  return {
    code: "too_few_colours",
    message: `The display shows ${Math.round(depth)} bits of colour; this trial needs at least ${least}. Choose more colours in the system's display settings or move the window to another display.`,
  };
}

export function environmentProblems(account: Account, asked: Asked | null): EnvironmentProblem[] {
  if (!asked) return [];
  return [windowProblem(account, asked), colourProblem(account, asked)].filter((problem) => problem !== null);
}

/** Whether the grey steps of this display are to be looked at before a case is opened on it. */
export function needsGreySteps(display: string, asked: EnvironmentRule | null): boolean {
  return asked !== null && asked.grey_steps !== "none" && !asked.fit_displays.includes(display);
}
