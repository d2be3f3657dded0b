import { createRoot } from "react-dom/client";
import "@/components/theme.css";
import { Application } from "./application";

const root = document.getElementById("root");
if (!root) throw new Error("The page has no root element.");
createRoot(root).render(<Application />);
