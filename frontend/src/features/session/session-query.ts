import { queryOptions } from "@tanstack/react-query";
import { call, fetchSession, rememberCsrfToken } from "@/api/client";
import type { Session } from "@/api/contract";

export const sessionQuery = queryOptions({ queryKey: ["session"], queryFn: fetchSession, staleTime: 60_000 });

export async function signIn(email: string, password: string): Promise<Session> {
  const session = await call<Session>("POST", "/session", { body: { email, password } });
  rememberCsrfToken(session.csrf_token);
  return session;
}

export async function signOut(): Promise<void> {
  await call("DELETE", "/session");
}
