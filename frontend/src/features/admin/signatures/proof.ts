/** What a person gives to sign, and what the server asks of them. */
import { queryOptions } from "@tanstack/react-query";
import { api, bodyOf, fetchSession } from "@/api/client";

export interface Proof {
  readonly password: string;
  readonly code: string;
  readonly credential?: Record<string, unknown>;
}

export const NO_PROOF: Proof = { password: "", code: "" };

export interface Ways {
  readonly name: string;
  /** False for people who come by single sign-on only: they sign in there again. */
  readonly password: boolean;
  readonly totp: boolean;
  readonly keys: boolean;
}

export const waysQuery = queryOptions({
  queryKey: ["signing"],
  queryFn: async (): Promise<Ways> => {
    const [session, security] = await Promise.all([fetchSession(), bodyOf(api.GET("/api/v1/account/security"))]);
    return {
      name: session.account?.display_name || session.account?.email || "",
      password: session.confirm_by.includes("password"),
      totp: security.totp,
      keys: security.passkeys.length > 0,
    };
  },
  staleTime: 0,
});

export function isComplete(ways: Ways | undefined, proof: Proof): boolean {
  if (!ways) return false;
  const second = !(ways.totp || ways.keys) || proof.code.trim() !== "" || proof.credential !== undefined;
  return second && (!ways.password || proof.password !== "");
}
