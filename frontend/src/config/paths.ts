/** Every address of the application and how it is made. */
export const paths = {
  home: "/",
  signIn: "/sign-in",
  invitation: "/invitations/$token",
  read: "/read/$trial",
  trials: "/trials",
  trial: "/trials/$trialId",
} as const;

export const readPath = (trial: string): string => `/read/${encodeURIComponent(trial)}`;
export const trialPath = (trialId: string, section = ""): string => `/trials/${trialId}${section ? `/${section}` : ""}`;
