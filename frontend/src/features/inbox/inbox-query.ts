import { queryOptions } from "@tanstack/react-query";
import { call } from "@/api/client";
import type { InboxRow } from "@/api/contract";

export const inboxQuery = queryOptions({
  queryKey: ["inbox"],
  queryFn: () => call<InboxRow[]>("GET", "/reader/"),
});
