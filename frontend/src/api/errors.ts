/** What can go wrong with a request: the server refused it, or it never arrived. */

export interface FieldProblem {
  readonly code: string;
  readonly message: string;
}

/** A refusal with the server's code and sentence. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Before this time is over another try is in vain; null where the server said nothing. */
  readonly retryAfterMs: number | null;

  constructor(
    status: number,
    code: string,
    detail: string,
    data: Readonly<Record<string, unknown>> = {},
    retryAfterMs: number | null = null,
  ) {
    super(detail);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.data = data;
    this.retryAfterMs = retryAfterMs;
  }

  /** The problems of single fields: JSON pointer to sentences. */
  get fields(): Readonly<Record<string, readonly FieldProblem[]>> {
    return (this.data.fields as Record<string, FieldProblem[]> | undefined) ?? {};
  }
}

/** The request or its answer was lost on the way: sending it again is right. */
export class NetworkError extends Error {
  constructor() {
    super("The server could not be reached.");
    this.name = "NetworkError";
  }
}

const SIGN_IN_CODES = new Set(["not_signed_in", "session_expired"]);

export function needsSignIn(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 401 || SIGN_IN_CODES.has(error.code));
}

/** The act is a weighty one: the person is asked again first. */
export function wantsProof(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403 && error.data.confirm === true;
}

/** The person's role needs a second factor, and none is set up. */
export function needsSecondFactor(error: unknown): boolean {
  return error instanceof ApiError && error.code === "second_factor_required";
}

/** The CSRF token is that of an earlier session; asking who is signed in renews it. */
export function isOldToken(error: unknown): boolean {
  return error instanceof ApiError && error.code === "csrf_failed";
}

/** Worth another attempt without anybody doing anything: lost, overloaded, or restarting. */
export function isPassing(error: unknown): boolean {
  if (error instanceof NetworkError) return true;
  return error instanceof ApiError && (error.status >= 500 || error.status === 429 || error.status === 408);
}

/** One sentence for the screen. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
