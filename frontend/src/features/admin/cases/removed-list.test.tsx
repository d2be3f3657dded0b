import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { removedQuery } from "../api";
import { Kit } from "../kit";
import { RemovedList } from "./removed-list";

test("what was removed is listed by tag, in words, private attributes too", () => {
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  client.setQueryData(removedQuery("t", "r").queryKey, {
    deidentification: {},
    deleted: false,
    files_not_listed: 2,
    entries: [
      { tag: "(0010,0010)", keyword: "PatientName", vr: "PN", action: "Z", files: 120, first_file: 1 },
      { tag: "(0009,1001)", keyword: "", vr: "LO", action: "X", files: 3, first_file: 7 },
    ],
  });
  render(
    <QueryClientProvider client={client}>
      <Kit>
        <RemovedList trialId="t" runId="r" />
      </Kit>
    </QueryClientProvider>,
  );
  const rows = screen.getAllByRole("row").map((row) => row.textContent);
  expect(rows).toEqual([
    "TagAttributeWhat was doneFilesFirst in file no.",
    "(0010,0010)PatientNameemptied1201",
    "(0009,1001)privateremoved37",
  ]);
  expect(screen.getByText(/2 attributes, without their values.* 2 files were too damaged/)).toBeDefined();
});
