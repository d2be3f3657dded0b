/** Every address of the application and how it is made. */
export const paths = {
  home: "/",
  signIn: "/sign-in",
  account: "/account",
  invitation: "/invitations/$token",
  read: "/read/$trial",
  trials: "/trials",
  trial: "/trials/$trialId",
} as const;

/** An address of our own, or the start page: the rest of a page's address comes from whoever made the link. */
export function ownPath(to: string | undefined): string {
  if (!to?.startsWith("/")) return paths.home;
  // A browser leaves out tabs and line ends before it reads an address; so does this.
  const address = new URL(to, window.location.origin);
  return address.origin === window.location.origin ? address.pathname + address.search + address.hash : paths.home;
}

export const readPath = (trial: string): string => `/read/${encodeURIComponent(trial)}`;
export const trialPath = (trialId: string, section = ""): string => `/trials/${trialId}${section ? `/${section}` : ""}`;
