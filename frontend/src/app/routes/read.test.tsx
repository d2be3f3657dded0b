import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import type { ReaderState } from "@/api/types";
import { Outbox } from "@/features/reading/outbox";
import { Journal } from "@/timing/journal";
import { queryClient } from "../query-client";
import ReadRoute from "./read";

vi.mock("@tanstack/react-router", () => ({ useParams: () => ({ trial: "t" }) }));
vi.mock("../account-menu", () => ({ AccountMenu: () => null }));

const ACCOUNT = "reader@example.org";
const state = {
  trial: "t",
  title: "Contours",
  step: "reading",
  n: 1,
  total: 3,
  environment: null,
  on_return: { what: "block", left_at: "2026-03-01T10:00:00Z", message: "Told by the server." },
} as ReaderState;

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
  queryClient.clear();
});

test("the reader is told of a case left open only when the server has all that an earlier page load kept", async () => {
  const outbox = new Outbox(ACCOUNT, "t");
  const answer = { choice: "left", reason_code: null, comment: "" };
  const submit = { reading: "r1", lease: 1, key: "k", answer, events: [] };
  await outbox.write({ reading: "r1", lease: 1, events: [], submit });
  const event = { sequence: 0, kind: "key" as const, t_ms: 0, clock_id: "c", wall_ms: 1, data: {} };
  new Journal(ACCOUNT, "t").write("r1", 1, event);
  const asked: string[] = [];
  const bodies: Record<string, unknown> = {
    session: {
      signed_in: true,
      account: { email: ACCOUNT, display_name: "", is_site_administrator: false },
      csrf_token: "token",
    },
    t: state,
  };
  vi.stubGlobal("fetch", async (request: Request) => {
    const name = request.url.split("/").at(-1) ?? "";
    if (name !== "session") asked.push(name);
    return Response.json(bodies[name] ?? {});
  });
  render(
    <QueryClientProvider client={queryClient}>
      <ReadRoute />
    </QueryClientProvider>,
  );
  await screen.findByText("Told by the server.");
  expect(asked).toEqual(["events", "submit", "t"]);
  expect(await outbox.read()).toBeUndefined();
  await outbox.close();
});
