/** Sends a folder in batches. What has arrived stays: another attempt goes on where the last one broke off. */
import { useMutation } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { isPassing } from "@/api/errors";
import type { Purpose, RoiRule } from "@/api/types";
import { beginIngest, beginUpload, sendFiles } from "../api";
import { batchesOf, bytesOf, type FolderFile } from "./folder";

const ATTEMPTS = 4;
const FIRST_DELAY_MS = 1000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function formOf(batch: readonly FolderFile[]): FormData {
  const form = new FormData();
  for (const { file, path } of batch) {
    form.append("file", file, file.name);
    form.append("path", path);
  }
  return form;
}

async function sendBatch(trialId: string, uploadId: string, batch: readonly FolderFile[]): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await sendFiles(trialId, uploadId, formOf(batch));
      return;
    } catch (error) {
      if (!isPassing(error) || attempt >= ATTEMPTS) throw error;
      await pause(FIRST_DELAY_MS * 2 ** (attempt - 1));
    }
  }
}

export interface UploadRequest {
  readonly files: readonly FolderFile[];
  readonly rules: RoiRule[];
  readonly purpose: Purpose;
}

export function useUpload(trialId: string) {
  const [sentBytes, setSentBytes] = useState(0);
  const progress = useRef<{ files: readonly FolderFile[]; uploadId: string; batchesSent: number } | null>(null);
  const upload = useMutation({
    mutationFn: async ({ files, rules, purpose }: UploadRequest): Promise<string> => {
      if (progress.current?.files !== files) {
        progress.current = { files, uploadId: await beginUpload(trialId), batchesSent: 0 };
      }
      const current = progress.current;
      const batches = batchesOf(files);
      setSentBytes(batches.slice(0, current.batchesSent).reduce((sum, batch) => sum + bytesOf(batch), 0));
      for (const batch of batches.slice(current.batchesSent)) {
        await sendBatch(trialId, current.uploadId, batch);
        current.batchesSent += 1;
        setSentBytes((before) => before + bytesOf(batch));
      }
      const jobId = await beginIngest(trialId, current.uploadId, { rules, purpose });
      progress.current = null;
      return jobId;
    },
  });
  return { upload, sentBytes };
}
