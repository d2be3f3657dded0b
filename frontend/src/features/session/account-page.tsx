/** What protects a person's own account: password, authenticator app, keys, recovery codes. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { errorText } from "@/api/errors";
import { sessionQuery } from "@/api/session";
import type { Security, TotpOffer } from "@/api/types";
import { ActionForm } from "@/components/action-form";
import { Loading, Page } from "@/components/page";
import { TextField } from "@/components/text-field";
import { messages } from "@/lib/messages";
import { dateTime } from "@/timing/formats";
import {
  addApp,
  addKey,
  changePassword,
  makeCodes,
  offerApp,
  removeApp,
  removeKey,
  renameKey,
  securityQuery,
} from "./account-api";
import { RecoveryCodes } from "./recovery-codes";

const text = messages.account;
const SHORTEST_PASSWORD = 12;

interface PartProps {
  readonly security: Security;
  readonly onChanged: (security: Security) => void;
}

export function AccountPage({ to, aside }: { to: string; aside: ReactNode }) {
  const client = useQueryClient();
  const session = useQuery(sessionQuery).data;
  const security = useQuery(securityQuery);
  const [codes, setCodes] = useState<readonly string[]>([]);
  const [wasDue, setWasDue] = useState(false);
  const isDue = session?.second_factor_due === true;
  if (isDue && !wasDue) setWasDue(true);
  const changed = (now: Security): void => {
    if (now.recovery_codes.length > 0) setCodes(now.recovery_codes);
    client.setQueryData(securityQuery.queryKey, { ...now, recovery_codes: [] });
    void client.invalidateQueries({ queryKey: sessionQuery.queryKey });
  };
  const email = session?.account?.email ?? "";
  return (
    <Page aside={aside}>
      <div className="eq-account">
        <h1>{text.title}</h1>
        <p className="eq-dim">{email}</p>
        {isDue && (
          <p className="eq-note" role="status">
            {text.due}
          </p>
        )}
        {wasDue && !isDue && codes.length === 0 && (
          <p className="eq-note" role="status">
            {text.dueDone}{" "}
            <a className="eq-button" data-kind="primary" href={to}>
              {text.goOn}
            </a>
          </p>
        )}
        {security.isPending && <Loading />}
        {security.isError && <p role="alert">{errorText(security.error)}</p>}
        {codes.length > 0 && <RecoveryCodes codes={codes} email={email} onKept={() => setCodes([])} />}
        {security.data && (
          <>
            <Summary security={security.data} />
            <App security={security.data} onChanged={changed} />
            <Keys security={security.data} onChanged={changed} />
            <Codes security={security.data} onChanged={changed} />
            {security.data.password && <Password email={email} onChanged={changed} />}
          </>
        )}
      </div>
    </Page>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="eq-panel" aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Summary({ security }: { security: Security }) {
  const { password, single_sign_on, totp, passkeys, recovery_codes_left, is_required } = security;
  const rows = [
    [text.passwordTitle, password ? text.isSet : text.passwordNone],
    ...(single_sign_on ? [[text.singleSignOn, text.linked]] : []),
    [text.appTitle, totp ? text.isSet : text.isNot],
    [text.keysTitle, passkeys.length > 0 ? passkeys.map((each) => each.name).join(", ") : text.isNot],
    [text.codesTitle, recovery_codes_left > 0 ? text.codesLeft(recovery_codes_left) : text.isNot],
  ];
  return (
    <Part title={text.protects}>
      <dl className="eq-facts">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {is_required && <p className="eq-dim">{text.needed}</p>}
    </Part>
  );
}

function App({ security, onChanged }: PartProps) {
  const [offer, setOffer] = useState<TotpOffer | null>(null);
  const [code, setCode] = useState("");
  if (security.totp) {
    return (
      <Part title={text.appTitle}>
        <ActionForm action={text.appRemove} quiet onSubmit={async () => onChanged(await removeApp())}>
          <p>{text.appThere}</p>
        </ActionForm>
      </Part>
    );
  }
  if (!offer) {
    return (
      <Part title={text.appTitle}>
        <ActionForm action={text.appSetUp} onSubmit={async () => setOffer(await offerApp())}>
          <p>{text.appText}</p>
        </ActionForm>
      </Part>
    );
  }
  const confirmApp = async (): Promise<void> => {
    onChanged(await addApp(code));
    setOffer(null);
    setCode("");
  };
  return (
    <Part title={text.appTitle}>
      <ActionForm
        action={text.appConfirm}
        disabled={code.trim() === ""}
        onSubmit={confirmApp}
        secondary={
          <button type="button" className="eq-button" data-kind="quiet" onClick={() => setOffer(null)}>
            {messages.session.cancel}
          </button>
        }
      >
        <p>{text.appScan}</p>
        <div className="eq-row">
          <img className="eq-qr" src={`data:image/svg+xml,${encodeURIComponent(offer.qr_svg)}`} alt={text.appPicture} />
          <p>
            {text.appSecret}
            <br />
            <code className="eq-secret">{offer.secret.replace(/(.{4})(?=.)/g, "$1 ")}</code>
          </p>
        </div>
        <TextField
          label={messages.session.appCode}
          hint={text.appCodeHint}
          autoComplete="one-time-code"
          focus
          value={code}
          onChange={setCode}
        />
      </ActionForm>
    </Part>
  );
}

function Key(props: { known: Security["passkeys"][number]; onChanged: PartProps["onChanged"] }) {
  const { known, onChanged } = props;
  const [name, setName] = useState<string | null>(null);
  const rename = async (): Promise<void> => {
    onChanged(await renameKey(known.id, (name ?? "").trim()));
    setName(null);
  };
  return (
    <li>
      <ActionForm
        action={text.keyRemove(known.name)}
        quiet
        onSubmit={async () => onChanged(await removeKey(known.id))}
        secondary={
          name === null && (
            <button type="button" className="eq-button" onClick={() => setName(known.name)}>
              {text.keyRename(known.name)}
            </button>
          )
        }
      >
        <span>
          <strong>{known.name}</strong>{" "}
          <span className="eq-dim eq-small">
            {text.keyAdded(dateTime(known.created_at))}
            {known.last_used_at && `, ${text.keyUsed(dateTime(known.last_used_at))}`}
          </span>
        </span>
      </ActionForm>
      {name !== null && (
        <ActionForm action={text.keyRenameDo} quiet disabled={name.trim() === ""} onSubmit={rename}>
          <TextField label={text.keyNewName} focus value={name} onChange={setName} />
        </ActionForm>
      )}
    </li>
  );
}

function Keys({ security, onChanged }: PartProps) {
  const [name, setName] = useState("");
  const add = async (): Promise<void> => {
    onChanged(await addKey(name.trim()));
    setName("");
  };
  return (
    <Part title={text.keysTitle}>
      <p>{text.keysText}</p>
      <ul className="eq-list">
        {security.passkeys.map((key) => (
          <Key key={key.id} known={key} onChanged={onChanged} />
        ))}
      </ul>
      <ActionForm action={text.keyAdd} quiet={security.totp || security.passkeys.length > 0} onSubmit={add}>
        <TextField label={text.keyName} hint={text.keyNameHint} value={name} onChange={setName} />
      </ActionForm>
    </Part>
  );
}

function Codes({ security, onChanged }: PartProps) {
  if (!security.totp && security.passkeys.length === 0) return null;
  return (
    <Part title={text.codesTitle}>
      <ActionForm action={text.codesMake} quiet onSubmit={async () => onChanged(await makeCodes())}>
        <p>
          {text.codesText} {text.codesLeft(security.recovery_codes_left)}. {text.codesVoid}
        </p>
      </ActionForm>
    </Part>
  );
}

function Password({ email, onChanged }: { email: string; onChanged: PartProps["onChanged"] }) {
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const [notice, setNotice] = useState("");
  const change = async (): Promise<void> => {
    setNotice("");
    onChanged(await changePassword(current, password));
    setCurrent("");
    setPassword("");
    setNotice(text.passwordChanged);
  };
  return (
    <Part title={text.passwordTitle}>
      <ActionForm
        action={text.changePassword}
        quiet
        disabled={current === "" || password.length < SHORTEST_PASSWORD}
        onSubmit={change}
      >
        <input type="hidden" name="username" autoComplete="username" value={email} />
        <TextField
          label={text.currentPassword}
          type="password"
          autoComplete="current-password"
          value={current}
          onChange={setCurrent}
        />
        <TextField
          label={text.newPassword}
          hint={text.newPasswordHint}
          type="password"
          autoComplete="new-password"
          value={password}
          onChange={setPassword}
        />
        <p role="status">{notice}</p>
      </ActionForm>
    </Part>
  );
}
