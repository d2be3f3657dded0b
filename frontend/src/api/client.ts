/**
 * The one way to the server. Every request carries the session cookie; a request that changes something carries the
 * CSRF token of this moment, and is sent once more if the token has grown old.
 */
import type { Session } from "./contract";
import { ApiError, NetworkError } from "./errors";

export const API = "/api/v1";

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface CallOptions {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Query;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
  readonly etag: string | null;
}

type Method = "GET" | "POST" | "PUT" | "DELETE";

let csrfToken: string | null = null;

/** The session as the server sees it now; also renews the CSRF token. */
export async function fetchSession(): Promise<Session> {
  const { body } = await send<Session>("GET", "/session", {});
  csrfToken = body.csrf_token;
  return body;
}

export function rememberCsrfToken(token: string): void {
  csrfToken = token;
}

/** Address under the API with the path's parameters filled in. */
export function apiAddress(template: string, path: Readonly<Record<string, string>> = {}, query: Query = {}): string {
  const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = path[name];
    if (value === undefined) throw new Error(`The address ${template} needs '${name}'.`);
    return encodeURIComponent(value);
  });
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString();
  return `${API}${filled}${search ? `?${search}` : ""}`;
}

export async function call<Body>(method: Method, template: string, options: CallOptions = {}): Promise<Body> {
  return (await callForAnswer<Body>(method, template, options)).body;
}

/** As `call`, with status and ETag. */
export async function callForAnswer<Body>(
  method: Method,
  template: string,
  options: CallOptions = {},
): Promise<Answer<Body>> {
  if (method === "GET") return send<Body>(method, template, options);
  if (csrfToken === null) await fetchSession();
  try {
    return await send<Body>(method, template, options);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "csrf_failed") throw error;
    await fetchSession();
    return send<Body>(method, template, options);
  }
}

async function send<Body>(method: Method, template: string, options: CallOptions): Promise<Answer<Body>> {
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  if (method !== "GET" && csrfToken !== null) headers["X-CSRFToken"] = csrfToken;
  let body: BodyInit | null = null;
  if (options.body instanceof FormData) body = options.body;
  else if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(options.body);
  }
  const address = apiAddress(template, options.path, options.query);
  const response = await request(address, {
    method,
    headers,
    body,
    credentials: "same-origin",
    ...(options.signal ? { signal: options.signal } : {}),
  });
  if (!response.ok && response.status !== 304) throw await refusal(response);
  return {
    status: response.status,
    body: (await readBody(response)) as Body,
    etag: response.headers.get("ETag"),
  };
}

async function request(address: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(address, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new NetworkError();
  }
}

async function readBody(response: Response): Promise<unknown> {
  if (response.status === 204 || response.status === 304) return undefined;
  try {
    return await response.json();
  } catch {
    throw new NetworkError();
  }
}

async function refusal(response: Response): Promise<Error> {
  const text = await response.text().catch(() => "");
  try {
    const problem = JSON.parse(text) as { code?: string; detail?: string; data?: Record<string, unknown> };
    if (problem.code) {
      return new ApiError(response.status, problem.code, problem.detail ?? problem.code, problem.data ?? {});
    }
  } catch {
    // Not ours: a proxy's or a gateway's own page. The status says enough.
  }
  return new ApiError(response.status, "unknown", `The server answered ${response.status}.`);
}
