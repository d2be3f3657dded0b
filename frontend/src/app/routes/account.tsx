import { useSearch } from "@tanstack/react-router";
import { ownPath } from "@/config/paths";
import { AccountPage } from "@/features/session/account-page";
import { AccountMenu } from "../account-menu";

export default function AccountRoute() {
  const { to } = useSearch({ from: "/account" });
  return <AccountPage to={ownPath(to)} aside={<AccountMenu />} />;
}
