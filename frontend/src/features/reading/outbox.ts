/**
 * What the server has not acknowledged yet, in the browser's own store: the events of the open reading and, once the
 * reader has answered, the complete submit. One record per account and trial. It outlives the tab; it is deleted only
 * when the server has said that it holds the answer.
 *
 * Some hospital browsers allow no store at all. The record is then kept in the page's memory: sending again still works,
 * outliving the tab does not.
 */
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { RecordedEvent } from "@/timing/recorder";
import type { SubmitBody } from "./api";

export interface OutboxRecord {
  readonly account: string;
  readonly trial: string;
  readonly reading: string;
  readonly lease: number;
  readonly events: readonly RecordedEvent[];
  /** Present once the reader has answered; sent unchanged until it is acknowledged. */
  readonly submit: SubmitBody | null;
}

interface OutboxSchema extends DBSchema {
  outbox: { key: [string, string]; value: OutboxRecord };
}

const DATABASE = "equipoise-outbox";
const VERSION = 1;

type Open = () => Promise<IDBPDatabase<OutboxSchema>>;

const openStore: Open = () =>
  openDB<OutboxSchema>(DATABASE, VERSION, {
    upgrade(database) {
      database.createObjectStore("outbox", { keyPath: ["account", "trial"] });
    },
  });

export class Outbox {
  readonly #database: Promise<IDBPDatabase<OutboxSchema> | null>;
  readonly #key: [string, string];
  #memory: OutboxRecord | undefined;

  constructor(account: string, trial: string, open: Open = openStore) {
    this.#key = [account, trial];
    // A browser that denies the store may refuse at once, or with the promise.
    this.#database = Promise.resolve()
      .then(open)
      .catch(() => null);
  }

  async read(): Promise<OutboxRecord | undefined> {
    const database = await this.#database;
    return database ? database.get("outbox", this.#key) : this.#memory;
  }

  /**
   * Resolves when the record is on the disk, not merely on its way there: true. False where the page's memory is all
   * there is.
   */
  async write(record: Omit<OutboxRecord, "account" | "trial">): Promise<boolean> {
    const [account, trial] = this.#key;
    return this.#change(() => ({ account, trial, ...record }));
  }

  /** Deletes the record if it still holds the submit with this key. */
  async acknowledge(key: string): Promise<void> {
    await this.#change((record) => (record?.submit?.key === key ? undefined : record));
  }

  /** Deletes the record of this opening of a reading unless it holds an answer. */
  async discardEvents(reading: string, lease: number): Promise<void> {
    await this.#change((record) => {
      const isMeant = record?.reading === reading && record.lease === lease && !record.submit;
      return isMeant ? undefined : record;
    });
  }

  async close(): Promise<void> {
    (await this.#database)?.close();
  }

  async #change(next: (record: OutboxRecord | undefined) => OutboxRecord | undefined): Promise<boolean> {
    const database = await this.#database;
    if (!database) {
      this.#memory = next(this.#memory);
      return false;
    }
    const transaction = database.transaction("outbox", "readwrite", { durability: "strict" });
    const after = next(await transaction.store.get(this.#key));
    await (after ? transaction.store.put(after) : transaction.store.delete(this.#key));
    await transaction.done;
    return true;
  }
}
