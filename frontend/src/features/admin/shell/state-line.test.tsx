import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import type { Trial } from "@/api/types";
import { Kit } from "../kit";
import { StateLine } from "./state-line";
import { UnsavedProvider, useTellUnsaved } from "./unsaved";

const TRIAL = {
  id: "t",
  state: "draft",
  primary_action: "lock",
  actions: [
    { action: "lock", label: "Protocol lock", allowed: true, missing: [] },
    { action: "abandon", label: "Abandon", allowed: true, missing: [] },
  ],
} as unknown as Trial;

function Editor() {
  const [dirty, setDirty] = useState(false);
  useTellUnsaved(dirty);
  return (
    <button type="button" onClick={() => setDirty(!dirty)}>
      Edit or save
    </button>
  );
}

beforeAll(() => {
  vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener() {}, removeEventListener() {} }));
});
afterEach(cleanup);

test("protocol lock waits, and says why, while the draft in the editor is not stored", () => {
  const page = (editor: boolean) => (
    <QueryClientProvider client={new QueryClient()}>
      <Kit>
        <UnsavedProvider>
          <StateLine trial={TRIAL} />
          {editor && <Editor />}
        </UnsavedProvider>
      </Kit>
    </QueryClientProvider>
  );
  const shown = render(page(true));
  const lock = () => screen.getByRole<HTMLButtonElement>("button", { name: "Protocol lock" });
  const edit = () => fireEvent.click(screen.getByRole("button", { name: "Edit or save" }));
  const why = /Save the protocol first/;
  expect([lock().disabled, screen.queryByText(why)]).toEqual([false, null]);
  edit();
  expect(lock().disabled).toBe(true);
  expect(screen.getByRole("status").textContent).toMatch(why);
  edit();
  expect([lock().disabled, screen.queryByText(why)]).toEqual([false, null]);
  edit();
  shown.rerender(page(false));
  expect([lock().disabled, screen.queryByText(why)]).toEqual([false, null]);
});
