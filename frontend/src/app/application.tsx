import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { ProofDialogs } from "@/features/session/proof-dialog";
import { queryClient } from "./query-client";
import { router } from "./router";

export function Application() {
  return (
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
      <ProofDialogs />
    </QueryClientProvider>
  );
}
