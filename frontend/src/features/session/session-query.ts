import { queryOptions } from "@tanstack/react-query";
import { api, bodyOf, fetchSession, rememberCsrfToken } from "@/api/client";
import type { Session } from "@/api/types";

export const sessionQuery = queryOptions({ queryKey: ["session"], queryFn: fetchSession, staleTime: 60_000 });

export async function signIn(email: string, password: string): Promise<Session> {
  const session = await bodyOf(api.POST("/api/v1/session", { body: { email, password } }));
  rememberCsrfToken(session.csrf_token);
  return session;
}

export async function signOut(): Promise<void> {
  await api.DELETE("/api/v1/session");
}
