import { useQuery } from "@tanstack/react-query";
import { useRef } from "react";
import { sessionQuery } from "@/api/session";
import type { Session } from "@/api/types";

/** Whose page this is: whoever was signed in last, for the session may end while the page is open. */
export function useKnownAccount(): Session["account"] | undefined {
  const now = useQuery(sessionQuery).data?.account;
  const last = useRef(now);
  if (now) last.current = now;
  return last.current;
}
