/** The start page: what there is to read; and the way to the trials that one manages. */
import { useQuery } from "@tanstack/react-query";
import { Navigate } from "@tanstack/react-router";
import { api, bodyOf } from "@/api/client";
import { errorText } from "@/api/errors";
import { sessionQuery } from "@/api/session";
import { Loading, Page } from "@/components/page";
import { InboxList } from "@/features/inbox/inbox-list";
import { inboxQuery } from "@/features/inbox/inbox-query";
import { messages } from "@/lib/messages";
import { AccountMenu } from "../account-menu";

export default function HomeRoute() {
  const session = useQuery(sessionQuery);
  const inbox = useQuery(inboxQuery);
  const managed = useQuery({
    queryKey: ["trials", "managed"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials")),
    retry: false,
  });
  const manages = session.data?.account?.is_site_administrator === true || (managed.data?.results.length ?? 0) > 0;
  if (inbox.data?.length === 0 && manages) return <Navigate to="/trials" replace />;
  return (
    <Page aside={<AccountMenu />}>
      <h1>{messages.inbox.title}</h1>
      {inbox.isPending && <Loading />}
      {inbox.isError && <p role="alert">{errorText(inbox.error)}</p>}
      {inbox.data && <InboxList rows={inbox.data} />}
      {manages && (
        <p>
          <br />
          <a href="/trials">{messages.inbox.manage}</a>
        </p>
      )}
    </Page>
  );
}
