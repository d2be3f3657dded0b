import { QueryClient } from "@tanstack/react-query";
import { isPassing } from "@/api/errors";

const MOST_RETRIES = 2;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (failures, error) => isPassing(error) && failures < MOST_RETRIES,
      staleTime: 5_000,
    },
  },
});
