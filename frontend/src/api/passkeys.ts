/** Keys of a person (WebAuthn): a new one, and the answer of one to the server's question. */
import { messages } from "@/lib/messages";
import { api, bodyOf } from "./client";

export type KeyAnswer = Record<string, unknown>;

/** Whether this browser knows keys, on a page that they trust. */
export function knowsKeys(): boolean {
  return typeof PublicKeyCredential === "function" && "parseRequestOptionsFromJSON" in PublicKeyCredential;
}

/** What a browser says of a key that was not shown is one sentence for many causes, and in no plain words. */
async function shown(asking: () => Promise<Credential | null>): Promise<KeyAnswer> {
  if (!knowsKeys()) throw new Error(messages.session.keysUnknown);
  try {
    return ((await asking()) as PublicKeyCredential).toJSON() as KeyAnswer;
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    throw new Error(error.name === "InvalidStateError" ? messages.session.keyKnown : messages.session.keyFailed);
  }
}

/** The answer of one of the person's keys; it is good for one request. */
export async function askKey(): Promise<KeyAnswer> {
  const asked = await bodyOf(api.POST("/api/v1/session/passkey"));
  return shown(() =>
    navigator.credentials.get({
      publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(
        asked as unknown as PublicKeyCredentialRequestOptionsJSON,
      ),
    }),
  );
}

export async function makeKey(): Promise<KeyAnswer> {
  const asked = await bodyOf(api.POST("/api/v1/account/passkeys/offer"));
  return shown(() =>
    navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(
        asked as unknown as PublicKeyCredentialCreationOptionsJSON,
      ),
    }),
  );
}
