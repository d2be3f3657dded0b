import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import type { Case, Trial } from "@/api/types";
import * as server from "../api";
import { Kit } from "../kit";
import { LookPanel } from "./look-panel";

const trial = { id: "t" } as Trial;
const image = (code: string, waits: boolean): Case =>
  ({ id: code, code, slices: 3, waits_to_be_looked_at: waits }) as Case;

beforeAll(() => {
  HTMLDialogElement.prototype.showModal = function showModal() {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function close() {
    this.open = false;
  };
});

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

function show(cases: Case[]): void {
  render(
    <QueryClientProvider client={new QueryClient()}>
      <Kit>
        <LookPanel trial={trial} cases={cases} />
      </Kit>
    </QueryClientProvider>,
  );
}

test("nothing is asked where no image waits", () => {
  show([image("C-01", false)]);
  expect(screen.queryByRole("region")).toBeNull();
});

test("an image that waits is looked at frame by frame and kept with a reason", () => {
  const sent = vi.spyOn(server, "pixelsReviewed").mockResolvedValue();
  show([image("C-01", false), image("C-02", true)]);
  expect(screen.queryByRole("button", { name: "Look at C-01" })).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "Look at C-02" }));
  const dialog = within(screen.getByRole("dialog"));
  const address = () => dialog.getByRole("img").getAttribute("src");
  expect(address()).toBe("/api/v1/trials/t/cases/C-02/frames/0.png");
  fireEvent.change(dialog.getByRole("slider"), { target: { value: "3" } });
  expect(address()).toBe("/api/v1/trials/t/cases/C-02/frames/2.png");
  const confirm = dialog.getByRole<HTMLButtonElement>("button", { name: "It shows nobody" });
  expect(confirm.disabled).toBe(true);
  fireEvent.change(dialog.getByLabelText(/Why it may stay in/), { target: { value: "A side marker." } });
  fireEvent.click(confirm);
  return vi.waitFor(() => expect(sent).toHaveBeenCalledWith("t", "C-02", "A side marker."));
});
