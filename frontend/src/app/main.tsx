import { createRoot } from "react-dom/client";
import "@/components/theme.css";
import { forgetOldEvents } from "@/timing/journal";
import { Application } from "./application";
import { followLinks } from "./links";
import { router } from "./router";

const root = document.getElementById("root");
if (!root) throw new Error("The page has no root element.");
forgetOldEvents();
followLinks((address) => void router.navigate({ href: address }));
createRoot(root).render(<Application />);
