/** The administrator's kit: loaded with these pages only. */
import "@mantine/core/styles.css";
import "./kit.css";
import { createTheme, MantineProvider } from "@mantine/core";
import type { ReactNode } from "react";

/** Shades of the accent colour; buttons take the seventh, with dark text on it. */
const ACCENT = [
  "#e6f2ff",
  "#cfe6ff",
  "#b3d7ff",
  "#8cc3ff",
  "#73b6ff",
  "#5fadff",
  "#4da3ff",
  "#3b8ee6",
  "#2b78c9",
  "#1c62ab",
] as const;

const theme = createTheme({
  primaryColor: "blue",
  primaryShade: 6,
  colors: { blue: ACCENT },
  black: "#06121f",
  autoContrast: true,
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
