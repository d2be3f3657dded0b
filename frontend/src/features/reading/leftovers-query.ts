import { queryOptions } from "@tanstack/react-query";
import { fetchSession } from "@/api/client";
import { Journal } from "@/timing/journal";
import { readingServer } from "./api";
import { bringLeftovers } from "./leftovers";
import { Outbox } from "./outbox";
import { readingLock } from "./tab-lock";

/** Done once the server has what an earlier page load left behind, or cannot have it now; at each entering anew. */
export const leftoversQuery = (account: string | undefined, trial: string) =>
  queryOptions({
    queryKey: ["leftovers", account, trial],
    queryFn: () => bring(account ?? "", trial),
    enabled: account !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });

async function bring(account: string, trial: string): Promise<boolean> {
  const outbox = new Outbox(account, trial);
  await bringLeftovers({
    account,
    server: readingServer(trial),
    session: fetchSession,
    outbox,
    journal: new Journal(account, trial),
    lock: readingLock(account, trial),
  });
  await outbox.close();
  return true;
}
