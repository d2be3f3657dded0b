/** Where features meet: every address and what stands there. Pages load when first visited. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  type ErrorComponentProps,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { errorText } from "@/api/errors";
import { sessionQuery } from "@/api/session";
import type { Session } from "@/api/types";
import { Loading, Page } from "@/components/page";
import { messages } from "@/lib/messages";
import { queryClient } from "./query-client";

function NotFound() {
  return (
    <Page narrow>
      <h1>{messages.common.notFound}</h1>
      <a href="/">{messages.common.toStart}</a>
    </Page>
  );
}

function Failed({ error }: ErrorComponentProps) {
  return (
    <Page narrow>
      <h1>{messages.common.unexpected}</h1>
      <p className="eq-dim" role="alert">
        {errorText(error)}
      </p>
      <button type="button" className="eq-button" data-kind="primary" onClick={() => window.location.reload()}>
        {messages.common.reload}
      </button>
    </Page>
  );
}

const Waiting = () => (
  <Page>
    <Loading />
  </Page>
);

type Going = { location: { href: string } };

/** Addresses behind the sign-in; the wanted one is kept for afterwards. */
async function known({ location }: Going): Promise<Session> {
  const session = await queryClient.ensureQueryData(sessionQuery);
  if (!session.signed_in) throw redirect({ to: "/sign-in", search: { to: location.href } });
  return session;
}

/** And behind the second factor, where the person's role needs one. */
async function signedIn(going: Going): Promise<void> {
  const session = await known(going);
  if (session.second_factor_due) throw redirect({ to: "/account", search: { to: going.location.href } });
}

const rootRoute = createRootRoute({ component: Outlet, notFoundComponent: NotFound, errorComponent: Failed });

const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/sign-in",
  validateSearch: (search: Record<string, unknown>): { to?: string; problem?: string } => ({
    ...(typeof search.to === "string" ? { to: search.to } : {}),
    ...(typeof search.problem === "string" ? { problem: search.problem } : {}),
  }),
  component: lazyRouteComponent(() => import("./routes/sign-in")),
});

const invitationRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/invitations/$token",
  component: lazyRouteComponent(() => import("./routes/invitation")),
});

const remindersRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/reminders/$token",
  component: lazyRouteComponent(() => import("./routes/reminders")),
});

const accountRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/account",
  validateSearch: (search: Record<string, unknown>): { to?: string } =>
    typeof search.to === "string" ? { to: search.to } : {},
  beforeLoad: known,
  component: lazyRouteComponent(() => import("./routes/account")),
});

const homeRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  beforeLoad: signedIn,
  component: lazyRouteComponent(() => import("./routes/home")),
});

const readRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/read/$trial",
  beforeLoad: signedIn,
  component: lazyRouteComponent(() => import("./routes/read")),
});

const trialsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/trials",
  beforeLoad: signedIn,
  component: lazyRouteComponent(() => import("./routes/trials")),
});

const trialRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/trials/$trialId",
  beforeLoad: signedIn,
  component: lazyRouteComponent(() => import("./routes/trial")),
});

const trialSectionRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/trials/$trialId/$section",
  beforeLoad: signedIn,
  component: lazyRouteComponent(() => import("./routes/trial")),
});

export const router = createRouter({
  routeTree: rootRoute.addChildren([
    homeRoute,
    signInRoute,
    invitationRoute,
    remindersRoute,
    accountRoute,
    readRoute,
    trialsRoute,
    trialRoute,
    trialSectionRoute,
  ]),
  defaultPendingComponent: Waiting,
  defaultErrorComponent: Failed,
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
