import { queryOptions } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";

export const inboxQuery = queryOptions({
  queryKey: ["inbox"],
  queryFn: () => bodyOf(api.GET("/api/v1/reader")),
});
