/** Who is signed in, signing in and out, and the proof that weighty acts ask for. */
import { queryOptions } from "@tanstack/react-query";
import { api, askProof, bodyOf, fetchSession, rememberCsrfToken } from "./client";
import { askKey, type KeyAnswer } from "./passkeys";
import type { Session } from "./types";

export const sessionQuery = queryOptions({ queryKey: ["session"], queryFn: fetchSession, staleTime: 60_000 });

async function remembered(answer: Promise<{ data?: Session }>): Promise<Session> {
  const session = await bodyOf(answer);
  rememberCsrfToken(session.csrf_token);
  return session;
}

export function signIn(email: string, password: string): Promise<Session> {
  return remembered(api.POST("/api/v1/session", { body: { email, password } }));
}

export function showSecondFactor(factor: "totp" | "recovery_code", code: string): Promise<Session> {
  return remembered(api.POST("/api/v1/session/second-factor", { body: { factor, code } }));
}

export async function showPasskey(): Promise<Session> {
  const credential = await askKey();
  return remembered(api.POST("/api/v1/session/second-factor", { body: { factor: "passkey", code: "", credential } }));
}

/** The person again: by password, or by the answer of a key. */
export function confirm(by: { password: string } | { credential: KeyAnswer }): Promise<Session> {
  return remembered(api.POST("/api/v1/session/confirm", { body: by }));
}

/** Whether the person was there just now, or is when asked: for files, which the browser fetches by itself. */
export async function isFresh(): Promise<boolean> {
  const session = await fetchSession();
  return session.confirmed || askProof("confirm");
}

/** The site's identity provider, and the page of ours that comes afterwards. */
export function providerAddress(to: string, how: { confirm?: true } = {}): string {
  return `/api/v1/session/sso?${new URLSearchParams({ to, ...(how.confirm ? { confirm: "true" } : {}) })}`;
}

export async function signOut(): Promise<void> {
  await api.DELETE("/api/v1/session");
}
