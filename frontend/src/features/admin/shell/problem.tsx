import { Alert, Loader } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { errorText } from "@/api/errors";

export function Problem({ error }: { error: unknown }) {
  return error ? (
    <Alert data-tone="bad" role="alert" mb="md">
      {errorText(error)}
    </Alert>
  ) : null;
}

/** Loading, refused, or there. */
export function Loaded<Body>(props: { query: UseQueryResult<Body>; children: (body: Body) => ReactNode }) {
  const { query } = props;
  if (query.data !== undefined) return props.children(query.data);
  if (query.isError) return <Problem error={query.error} />;
  return <Loader size="sm" />;
}
