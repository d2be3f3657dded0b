/** What protects the signed-in person's own account, and how it is changed. */
import { queryOptions } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import { makeKey } from "@/api/passkeys";
import type { Security, TotpOffer } from "@/api/types";

export const securityQuery = queryOptions({
  queryKey: ["account", "security"],
  queryFn: () => bodyOf(api.GET("/api/v1/account/security")),
});

export const changePassword = (current: string, password: string): Promise<Security> =>
  bodyOf(api.POST("/api/v1/account/password", { body: { current, password } }));

export const offerApp = (): Promise<TotpOffer> => bodyOf(api.POST("/api/v1/account/totp/offer"));

export const addApp = (code: string): Promise<Security> => bodyOf(api.POST("/api/v1/account/totp", { body: { code } }));

export const removeApp = (): Promise<Security> => bodyOf(api.DELETE("/api/v1/account/totp"));

export async function addKey(name: string): Promise<Security> {
  const credential = await makeKey();
  return bodyOf(api.POST("/api/v1/account/passkeys", { body: { name, credential } }));
}

export const renameKey = (id: string, name: string): Promise<Security> =>
  bodyOf(api.PATCH("/api/v1/account/passkeys/{passkey_id}", { params: { path: { passkey_id: id } }, body: { name } }));

export const removeKey = (id: string): Promise<Security> =>
  bodyOf(api.DELETE("/api/v1/account/passkeys/{passkey_id}", { params: { path: { passkey_id: id } } }));

export const makeCodes = (): Promise<Security> => bodyOf(api.POST("/api/v1/account/recovery-codes"));
