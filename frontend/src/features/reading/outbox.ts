/**
 * What the server has not acknowledged yet, in the browser's own store: the events of the open reading and, once the
 * reader has answered, the complete submit. One record per account and trial. It outlives the tab; it is deleted only
 * when the server has said that it holds the answer.
 */
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { RecordedEvent } from "@/timing/recorder";
import type { SubmitBody } from "./api";

export interface OutboxRecord {
  readonly account: string;
  readonly trial: string;
  readonly reading: string;
  readonly lease: number;
  /** Number that the next event of this reading and lease will get. */
  readonly nextSequence: number;
  readonly events: readonly RecordedEvent[];
  /** Present once the reader has answered; sent unchanged until it is acknowledged. */
  readonly submit: SubmitBody | null;
}

interface OutboxSchema extends DBSchema {
  outbox: { key: [string, string]; value: OutboxRecord };
}

const DATABASE = "equipoise-outbox";
const VERSION = 1;

export class Outbox {
  readonly #database: Promise<IDBPDatabase<OutboxSchema>>;
  readonly #key: [string, string];

  constructor(account: string, trial: string) {
    this.#key = [account, trial];
    this.#database = openDB<OutboxSchema>(DATABASE, VERSION, {
      upgrade(database) {
        database.createObjectStore("outbox", { keyPath: ["account", "trial"] });
      },
    });
  }

  async read(): Promise<OutboxRecord | undefined> {
    return (await this.#database).get("outbox", this.#key);
  }

  /** Resolves when the record is on the disk, not merely on its way there. */
  async write(record: Omit<OutboxRecord, "account" | "trial">): Promise<void> {
    const database = await this.#database;
    const [account, trial] = this.#key;
    const transaction = database.transaction("outbox", "readwrite", { durability: "strict" });
    await transaction.store.put({ account, trial, ...record });
    await transaction.done;
  }

  /** Deletes the record if it still holds the submit with this key. */
  async acknowledge(key: string): Promise<void> {
    const database = await this.#database;
    const transaction = database.transaction("outbox", "readwrite", { durability: "strict" });
    const record = await transaction.store.get(this.#key);
    if (record?.submit?.key === key) await transaction.store.delete(this.#key);
    await transaction.done;
  }

  async discardEvents(): Promise<void> {
    const database = await this.#database;
    const transaction = database.transaction("outbox", "readwrite");
    const record = await transaction.store.get(this.#key);
    if (record && !record.submit) await transaction.store.delete(this.#key);
    await transaction.done;
  }

  async close(): Promise<void> {
    (await this.#database).close();
  }
}
