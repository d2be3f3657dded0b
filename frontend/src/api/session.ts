import { queryOptions } from "@tanstack/react-query";
import { api, bodyOf, fetchSession, rememberCsrfToken } from "./client";
import type { Session } from "./types";

export const sessionQuery = queryOptions({ queryKey: ["session"], queryFn: fetchSession, staleTime: 60_000 });

export async function signIn(email: string, password: string): Promise<Session> {
  const session = await bodyOf(api.POST("/api/v1/session", { body: { email, password } }));
  rememberCsrfToken(session.csrf_token);
  return session;
}

export async function showSecondFactor(factor: "totp" | "recovery_code", code: string): Promise<Session> {
  const session = await bodyOf(api.POST("/api/v1/session/second-factor", { body: { factor, code } }));
  rememberCsrfToken(session.csrf_token);
  return session;
}

/** The answer of one of the person's keys to the server's question. */
export async function showPasskey(): Promise<Session> {
  const asked = await bodyOf(api.POST("/api/v1/session/passkey"));
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    asked as unknown as PublicKeyCredentialRequestOptionsJSON,
  );
  const shown = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential;
  const credential = shown.toJSON() as Record<string, unknown>;
  const session = await bodyOf(
    api.POST("/api/v1/session/second-factor", { body: { factor: "passkey", code: "", credential } }),
  );
  rememberCsrfToken(session.csrf_token);
  return session;
}

export async function signOut(): Promise<void> {
  await api.DELETE("/api/v1/session");
}
