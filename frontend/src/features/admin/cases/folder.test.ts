import { expect, test } from "vitest";
import { BATCH_BYTES, BATCH_FILES, batchesOf, type FolderFile } from "./folder";

const file = (size: number): FolderFile => ({ file: { size } as File, path: "p" });

test("batches stay within bytes and files, and keep the order", () => {
  const half = BATCH_BYTES / 2;
  const files = [file(half), file(half), file(1), file(BATCH_BYTES * 3), file(1)];
  expect(batchesOf(files).map((batch) => batch.map((each) => each.file.size))).toEqual([
    [half, half],
    [1],
    [BATCH_BYTES * 3],
    [1],
  ]);
  const many = Array.from({ length: BATCH_FILES * 2 + 1 }, () => file(1));
  expect(batchesOf(many).map((batch) => batch.length)).toEqual([BATCH_FILES, BATCH_FILES, 1]);
  expect(batchesOf([])).toEqual([]);
});
