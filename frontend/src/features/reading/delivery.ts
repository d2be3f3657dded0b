/**
 * Brings the outbox to the server: again and again while the network or the server is away, never under another
 * account, never without a session, and each answer under the key it was given when the reader confirmed it.
 */

import { ApiError, isOldToken, isPassing, needsSignIn } from "@/api/errors";
import type { Session, SubmitReply } from "@/api/types";
import type { ReadingServer, SubmitBody } from "./api";
import type { Outbox } from "./outbox";

export type DeliveryState = "saving" | "waiting" | "sign-in" | "other-account" | "refused";

export interface DeliveryOptions {
  readonly account: string;
  readonly outbox: Outbox;
  readonly server: ReadingServer;
  /** Asks the server who is signed in and renews the CSRF token. */
  readonly session: () => Promise<Session>;
  readonly onState: (state: DeliveryState, detail: string) => void;
  /** Time to wait before attempt n + 1; tests make it short. */
  readonly delayMs?: (attempt: number) => number;
}

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 30_000;

/** Doubles up to half a minute, with up to a fifth more so that many readers do not come back at the same moment. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1)) * (1 + 0.2 * random());
}

/** What the server asks to wait at least, spread like the rest: it knows better than the browser when it is back. */
function askedMs(error: unknown): number {
  const asked = (error instanceof ApiError ? error.retryAfterMs : null) ?? 0;
  return Math.min(LONGEST_DELAY_MS, asked) * (1 + 0.2 * Math.random());
}

export class Delivery {
  readonly #options: DeliveryOptions;
  #wake: (() => void) | null = null;
  #stopped = false;
  #busy = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** An answer is under way or waits. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Try at once: the network is back, or the reader has signed in. */
  readonly wake = (): void => {
    this.#wake?.();
  };

  stop(): void {
    this.#stopped = true;
    this.wake();
  }

  /**
   * Resolves with the server's answer, however long that takes; null if stopped before. Nothing is sent before `kept`,
   * the writing into the browser's store, is over; who is signed in is asked meanwhile.
   */
  submit(body: SubmitBody, kept: Promise<void> = Promise.resolve()): Promise<SubmitReply | null> {
    return this.send(body, kept, (each) => this.#options.server.submit(each));
  }

  /** As `submit`, by whatever call takes the answer. */
  async send<Reply>(
    body: SubmitBody,
    kept: Promise<void>,
    call: (body: SubmitBody) => Promise<Reply>,
  ): Promise<Reply | null> {
    this.#busy = true;
    window.addEventListener("online", this.wake);
    try {
      for (let attempt = 1; !this.#stopped; attempt += 1) {
        const reply = await this.#attempt(body, attempt, kept, call);
        if (reply) return reply;
      }
      return null;
    } finally {
      this.#busy = false;
      window.removeEventListener("online", this.wake);
    }
  }

  async #attempt<Reply>(
    body: SubmitBody,
    attempt: number,
    kept: Promise<void>,
    call: (body: SubmitBody) => Promise<Reply>,
  ): Promise<Reply | null> {
    const { onState, outbox } = this.#options;
    try {
      onState("saving", "");
      const [same] = await Promise.all([this.#sameAccount(), kept]);
      if (!same) return null;
      const reply = await call(body);
      await outbox.acknowledge(body.key);
      return reply;
    } catch (error) {
      if (this.#stopped) return null;
      if (needsSignIn(error)) {
        onState("sign-in", "");
        await this.#sleep(null);
      } else if (isPassing(error) || isOldToken(error)) {
        onState("waiting", "");
        const delayMs = (this.#options.delayMs ?? backoffMs)(attempt);
        await this.#sleep(Math.max(delayMs, askedMs(error)));
      } else {
        onState("refused", error instanceof Error ? error.message : String(error));
        await this.#sleep(null);
      }
      return null;
    }
  }

  async #sameAccount(): Promise<boolean> {
    const session = await this.#options.session();
    if (session.signed_in && session.account?.email === this.#options.account) return true;
    this.#options.onState(session.signed_in ? "other-account" : "sign-in", session.account?.email ?? "");
    await this.#sleep(null);
    return false;
  }

  /** Waits for the time given, for ever if null; `wake` ends it. */
  #sleep(ms: number | null): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(() => this.#wake?.(), ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }
}
