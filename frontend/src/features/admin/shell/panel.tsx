/** A part of an administrator's page: its title, what it is for, and what it holds. */
import { Alert, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

export function Panel({ title, text, children }: { title: string; text: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <Title order={2} size="h4" mt="xl" mb={4}>
        {title}
      </Title>
      <Text c="dimmed" mb="xs" maw="70ch">
        {text}
      </Text>
      {children}
    </section>
  );
}

/** A secret that the server tells once, when it has made it. */
export function SecretOnce({ title, made }: { title: string; made: { readonly secret: string } | undefined }) {
  if (made === undefined) return null;
  return (
    <Alert title={title}>
      <code className="eq-hash">{made.secret}</code>
    </Alert>
  );
}
