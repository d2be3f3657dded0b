import { admin } from "@/lib/messages-admin";

/** What a role is called on the screens. */
export const roleLabel = (role: string): string => admin.roles.find((each) => each.value === role)?.label ?? role;
