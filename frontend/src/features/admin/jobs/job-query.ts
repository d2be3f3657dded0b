/** A job's state, asked for every second while the page is seen, every ten while it is not, until the job has ended. */
import { queryOptions } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import type { Job, JobItem } from "@/api/types";

const VISIBLE_MS = 1000;
const HIDDEN_MS = 10_000;

const ENDED: ReadonlySet<string> = new Set(["succeeded", "failed", "cancelled", "partial"]);

export const jobHasEnded = (job: Job | undefined): boolean => job !== undefined && ENDED.has(job.state);

export function pollAfterMs(job: Job | undefined, hidden: boolean): number | false {
  if (jobHasEnded(job)) return false;
  return hidden ? HIDDEN_MS : VISIBLE_MS;
}

/** Remembers the last answer of each job, so that "not modified" can be turned back into it. */
const known = new Map<string, { etag: string; job: Job }>();

async function fetchJob(jobId: string): Promise<Job> {
  const last = known.get(jobId);
  const { data, response } = await api.GET("/api/v1/jobs/{job_id}", {
    params: { path: { job_id: jobId } },
    headers: last ? { "If-None-Match": last.etag } : {},
  });
  if (response.status === 304 && last) return last.job;
  const job = data as Job;
  const etag = response.headers.get("ETag");
  if (etag) known.set(jobId, { etag, job });
  return job;
}

export const jobQuery = (jobId: string) =>
  queryOptions({
    queryKey: ["job", jobId],
    queryFn: () => fetchJob(jobId),
    staleTime: 0,
    refetchIntervalInBackground: true,
    refetchInterval: (query) => pollAfterMs(query.state.data, document.visibilityState === "hidden"),
  });

/** The items of a job that failed, for the list below its bar. */
export const failedItemsQuery = (jobId: string) =>
  queryOptions({
    queryKey: ["job", jobId, "failed-items"],
    queryFn: async (): Promise<readonly JobItem[]> => {
      const page = await bodyOf(
        api.GET("/api/v1/jobs/{job_id}/items", { params: { path: { job_id: jobId }, query: { state: "failed" } } }),
      );
      return page.results;
    },
  });

export async function cancelJob(jobId: string): Promise<void> {
  await api.POST("/api/v1/jobs/{job_id}/cancel", { params: { path: { job_id: jobId } } });
}

export async function retryJob(jobId: string): Promise<void> {
  known.delete(jobId);
  await bodyOf(api.POST("/api/v1/jobs/{job_id}/retry", { params: { path: { job_id: jobId } } }));
}
