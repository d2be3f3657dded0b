import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { ApiError } from "@/api/errors";
import type { TrialAction } from "@/api/types";
import { foreseenQuery, protocolQuery, type TaggedProtocol, takeAction } from "../api";
import { Kit } from "../kit";
import { ActionDialog } from "./action-dialog";

vi.mock("../api", async (original) => ({ ...(await original<typeof import("../api")>()), takeAction: vi.fn() }));

const CONFLICT = new ApiError(412, "version_conflict", "The protocol was changed since you looked at it.");

const action = (name: string): TrialAction =>
  ({
    action: name,
    label: "Do it",
    signs: null,
    needs_reason: true,
    needs_waiver: false,
    needs_password: false,
  }) as unknown as TrialAction;

function show(name: string): QueryClient {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  client.setQueryData(protocolQuery("t").queryKey, { protocol: {}, etag: '"seen"' } as TaggedProtocol);
  render(
    <QueryClientProvider client={client}>
      <Kit>
        <ActionDialog trialId="t" action={action(name)} onDone={vi.fn()} onClose={vi.fn()} />
      </Kit>
    </QueryClientProvider>,
  );
  fireEvent.change(screen.getByRole("textbox"), { target: { value: "Ready" } });
  return client;
}

const button = () => screen.getByRole<HTMLButtonElement>("button", { name: /Do it/ });

beforeAll(() => {
  vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener() {}, removeEventListener() {} }));
  vi.stubGlobal("fetch", () => new Promise(() => {}));
});
afterEach(() => {
  cleanup();
  vi.mocked(takeAction).mockReset();
});

test("protocol lock names the draft that was shown, and is not repeated on another one", async () => {
  vi.mocked(takeAction).mockRejectedValue(CONFLICT);
  const client = show("lock");
  fireEvent.click(button());
  await screen.findByText(/changed since/);
  expect(vi.mocked(takeAction).mock.calls.map((call) => call[3])).toEqual(['"seen"']);
  expect(button().disabled).toBe(true);
  expect(client.getQueryState(protocolQuery("t").queryKey)?.isInvalidated).toBe(true);
});

test.each(["data-lock", "unblind"])("%s waits for what is signed, and names it", async (name) => {
  vi.mocked(takeAction).mockRejectedValue(new ApiError(412, "version_conflict", "The data were changed since."));
  const client = show(name);
  expect(button().disabled).toBe(true);
  client.setQueryData(foreseenQuery("t", name).queryKey, { record: "the data", record_sha256: "5eef" });
  await screen.findByText("5eef");
  fireEvent.click(button());
  await screen.findByText(/changed since/);
  expect(vi.mocked(takeAction).mock.calls.map((call) => call[2].record_sha256)).toEqual(["5eef"]);
  expect(button().disabled).toBe(true);
});

test("another act names no draft", async () => {
  vi.mocked(takeAction).mockReturnValue(new Promise(() => {}));
  show("close");
  fireEvent.click(button());
  await waitFor(() => expect(vi.mocked(takeAction).mock.calls.map((call) => call[3])).toEqual([null]));
});
