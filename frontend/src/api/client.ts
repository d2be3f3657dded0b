/**
 * The one way to the server. Every request carries the session cookie; a request that changes something carries the
 * CSRF token of this moment, and is sent once more if the token has grown old. Where the server wants the person again
 * (a weighty act, an expired session), the page asks in place and the request is repeated. Whatever is not an answer is
 * thrown: `ApiError` for a refusal, `NetworkError` for a request that was lost.
 */
import createClient from "openapi-fetch";
import { ApiError, isOldToken, NetworkError, needsSignIn, wantsProof } from "./errors";
import type { paths } from "./schema";
import type { Session } from "./types";

let csrfToken: string | null = null;

export function rememberCsrfToken(token: string): void {
  csrfToken = token;
}

/** What the server wants of the person before it goes on. */
export type Need = "confirm" | "sign-in";

/** Asks the person, and says whether the request may be repeated. */
export type Prover = (need: Need) => Promise<boolean>;

const provers: Prover[] = [];

/** Let a part of the page ask the person, in place of whoever asked until now; returns how to end that. */
export function proveBy(prover: Prover): () => void {
  provers.push(prover);
  return () => {
    provers.splice(provers.lastIndexOf(prover), 1);
  };
}

export async function askProof(need: Need): Promise<boolean> {
  return (await provers.at(-1)?.(need)) ?? false;
}

/** Signing in and confirming answer for themselves. */
const isOfSession = (request: Request): boolean => /^\/api\/v1\/session(\/|$)/.test(new URL(request.url).pathname);

async function attempt(request: Request): Promise<Response> {
  const changes = request.method !== "GET" && request.method !== "HEAD";
  if (changes && csrfToken === null) await fetchSession();
  if (changes && csrfToken !== null) request.headers.set("X-CSRFToken", csrfToken);
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new NetworkError();
  }
  if (!response.ok && response.status !== 304) throw await refusal(response);
  return response;
}

async function send(request: Request, tokenIsNew = false): Promise<Response> {
  const again = request.clone();
  try {
    return await attempt(request);
  } catch (error) {
    if (isOldToken(error) && !tokenIsNew) {
      await fetchSession();
      return send(again, true);
    }
    const need = wantsProof(error) ? "confirm" : needsSignIn(error) ? "sign-in" : null;
    if (need === null || isOfSession(request) || !(await askProof(need))) throw error;
    return send(again);
  }
}

/** The header's seconds; its other form, a date, is of no use under a clock that may be wrong. */
function retryAfterMs(response: Response): number | null {
  const seconds = Number(response.headers.get("Retry-After") ?? Number.NaN);
  return seconds >= 0 ? seconds * 1000 : null;
}

async function refusal(response: Response): Promise<Error> {
  const text = await response.text().catch(() => "");
  const wait = retryAfterMs(response);
  try {
    const problem = JSON.parse(text) as { code?: string; detail?: string; data?: Record<string, unknown> };
    if (problem.code) {
      return new ApiError(response.status, problem.code, problem.detail ?? problem.code, problem.data ?? {}, wait);
    }
  } catch {
    // Not ours: a proxy's or a gateway's own page. The status says enough.
  }
  return new ApiError(response.status, "unknown", `The server answered ${response.status}.`, {}, wait);
}

/** `api.GET("/api/v1/trials")` and so on; addresses, parameters and answers as the schema says. */
export const api = createClient<paths>({
  baseUrl: window.location.origin,
  credentials: "same-origin",
  headers: { Accept: "application/json" },
  fetch: (request) => send(request),
});

/** The body of an answer. */
export async function bodyOf<Body>(answer: Promise<{ data?: Body }>): Promise<Body> {
  try {
    return (await answer).data as Body;
  } catch (error) {
    // An answer that breaks off in the middle is a lost answer.
    if (error instanceof SyntaxError || error instanceof TypeError) throw new NetworkError();
    throw error;
  }
}

/** The session as the server sees it now; also renews the CSRF token. */
export async function fetchSession(): Promise<Session> {
  const session = await bodyOf(api.GET("/api/v1/session"));
  csrfToken = session.csrf_token;
  return session;
}
