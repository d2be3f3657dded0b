import { expect, test } from "vitest";
import { isComplete, NO_PROOF, type Ways } from "./proof";

const ways: Ways = { name: "Ada", password: true, totp: false, keys: false };

test("a signature waits for the password, and for a second factor where there is one", () => {
  expect(isComplete(undefined, { password: "x", code: "" })).toBe(false);
  expect(isComplete(ways, NO_PROOF)).toBe(false);
  expect(isComplete(ways, { password: "x", code: "" })).toBe(true);
  const withApp = { ...ways, totp: true };
  expect(isComplete(withApp, { password: "x", code: " " })).toBe(false);
  expect(isComplete(withApp, { password: "x", code: "123456" })).toBe(true);
  expect(isComplete({ ...ways, keys: true }, { password: "x", code: "", credential: { id: "k" } })).toBe(true);
  expect(isComplete({ ...ways, password: false }, NO_PROOF)).toBe(true);
});
