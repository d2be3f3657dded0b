import { afterEach, expect, test, vi } from "vitest";
import { api, type Need, proveBy } from "./client";

afterEach(() => vi.unstubAllGlobals());

const CONFIRM = { code: "permission_denied", detail: "Again.", data: { confirm: true } };

/** A server that refuses until the person is there; returns what it was sent. */
function refusing(status: number, body: object, isThere: () => boolean): string[] {
  const sent: string[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    const { pathname } = new URL(request.url);
    if (request.method === "GET" && pathname === "/api/v1/session") return Response.json({ csrf_token: "token" });
    sent.push(`${request.method} ${pathname} ${await request.text()}`);
    return isThere() ? Response.json({ results: [] }) : Response.json(body, { status });
  });
  return sent;
}

test.each<[number, object, Need]>([
  [403, CONFIRM, "confirm"],
  [401, { code: "session_expired", detail: "Too long." }, "sign-in"],
])("a request refused with %i is repeated whole once the person was asked", async (status, body, need) => {
  const asked: Need[] = [];
  const sent = refusing(status, body, () => asked.length > 0);
  const end = proveBy(async (each) => {
    asked.push(each);
    return true;
  });
  await api.POST("/api/v1/account/totp", { body: { code: "123456" } });
  end();
  expect(asked).toEqual([need]);
  expect(sent).toEqual(Array(2).fill('POST /api/v1/account/totp {"code":"123456"}'));
});

test("whoever does not want to be asked gets the refusal", async () => {
  const sent = refusing(403, CONFIRM, () => false);
  const end = proveBy(async () => false);
  await expect(api.GET("/api/v1/trials")).rejects.toThrow("Again.");
  end();
  await expect(api.GET("/api/v1/trials")).rejects.toThrow("Again.");
  expect(sent).toHaveLength(2);
});

test("signing in asks nobody to sign in", async () => {
  const prover = vi.fn(async () => true);
  const sent = refusing(401, { code: "not_signed_in", detail: "Password first." }, () => false);
  const end = proveBy(prover);
  const body = { factor: "totp" as const, code: "1" };
  await expect(api.POST("/api/v1/session/second-factor", { body })).rejects.toThrow("Password first.");
  end();
  expect(prover).not.toHaveBeenCalled();
  expect(sent).toHaveLength(1);
});

test("the part of the page that came last asks, until it goes", async () => {
  let there = false;
  refusing(403, CONFIRM, () => there);
  const page = vi.fn(async () => {
    there = true;
    return true;
  });
  const ends = [proveBy(page), proveBy(async () => false)];
  await expect(api.GET("/api/v1/trials")).rejects.toThrow("Again.");
  expect(page).not.toHaveBeenCalled();
  ends[1]?.();
  await api.GET("/api/v1/trials");
  ends[0]?.();
  expect(page).toHaveBeenCalledWith("confirm");
});

test.each<[string | null, number | null]>([
  ["5", 5000],
  [null, null],
  ["Sun, 29 Nov 2026 00:00:00 GMT", null],
])("a refusal carries the seconds that the server asks to wait: %s", async (header, ms) => {
  const headers = header === null ? {} : { "Retry-After": header };
  const answer = async () => Response.json({ code: "internal_error", detail: "Away." }, { status: 503, headers });
  vi.stubGlobal("fetch", vi.fn(answer));
  await expect(api.GET("/api/v1/trials")).rejects.toMatchObject({ status: 503, retryAfterMs: ms });
});
