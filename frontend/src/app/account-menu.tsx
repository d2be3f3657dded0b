import { useQuery } from "@tanstack/react-query";
import { sessionQuery, signOut } from "@/api/session";
import { messages } from "@/lib/messages";

export function AccountMenu() {
  const { data } = useQuery(sessionQuery);
  if (!data?.account) return null;
  const leave = (): void => {
    signOut().finally(() => window.location.assign("/sign-in"));
  };
  return (
    <>
      <a className="eq-dim eq-small" href="/account" title={messages.account.title}>
        {data.account.display_name || data.account.email}
      </a>
      <button type="button" className="eq-button" data-kind="quiet" onClick={leave}>
        {messages.common.signOut}
      </button>
    </>
  );
}
