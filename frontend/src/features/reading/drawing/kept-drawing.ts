/** The unfinished drawing in this browser, one reading's at a time: a voxel mask and a list of acts, nothing of a case. */
import { openDB } from "idb";
import type { Drawing } from "./desk";

const DATABASE = "equipoise-drawing";
const STORE = "drawing";
const VERSION = 1;

const database = () => openDB(DATABASE, VERSION, { upgrade: (db) => void db.createObjectStore(STORE) });

/** Keeps the drawing; those of other readings are forgotten. */
export async function keepDrawing(reading: string, drawing: Drawing): Promise<void> {
  try {
    const db = await database();
    const writing = db.transaction(STORE, "readwrite");
    await writing.store.clear();
    await writing.store.put(drawing, reading);
    await writing.done;
    db.close();
  } catch {
    // A browser that keeps nothing (a private window of old) still has the draft on the server.
  }
}

export async function keptDrawing(reading: string): Promise<Drawing | null> {
  try {
    const db = await database();
    const kept = (await db.get(STORE, reading)) as Drawing | undefined;
    db.close();
    return kept ?? null;
  } catch {
    return null;
  }
}

export async function forgetDrawings(): Promise<void> {
  try {
    const db = await database();
    await db.clear(STORE);
    db.close();
  } catch {
    // Nothing was kept.
  }
}
