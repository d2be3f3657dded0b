/** The administrator's kit: loaded with these pages only. */
import "@mantine/core/styles.css";
import "./kit.css";
import { createTheme, MantineProvider } from "@mantine/core";
import type { ReactNode } from "react";

const theme = createTheme({
  primaryColor: "blue",
  defaultRadius: "sm",
  fontFamily: 'Inter, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
});

export function Kit({ children }: { children: ReactNode }) {
  return (
    <MantineProvider theme={theme} forceColorScheme="dark" withCssVariables={false} withGlobalClasses={false}>
      {children}
    </MantineProvider>
  );
}
