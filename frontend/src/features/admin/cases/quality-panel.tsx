import { Badge, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Quality, QualityCase, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { qualityQuery } from "../api";
import { Loaded } from "../shell/problem";
import { StripPlot } from "./strip-plot";
import { PanelTitle } from "./upload-panel";

const text = admin.quality;

function Rules({ quality }: { quality: Quality }) {
  if (quality.rules.length === 0) return null;
  return (
    <div className="eq-scroll">
      <Table maw={560}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{text.check}</Table.Th>
            <Table.Th ta="right">{text.outcomes.passed}</Table.Th>
            <Table.Th ta="right">{text.outcomes.failed}</Table.Th>
            <Table.Th ta="right">{text.outcomes["not-stated"]}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {quality.rules.map((row) => (
            <Table.Tr key={row.rule}>
              <Table.Td>{text.rules[row.rule] ?? row.rule}</Table.Td>
              <Table.Td ta="right">{row.passed}</Table.Td>
              <Table.Td ta="right">{row.failed}</Table.Td>
              <Table.Td ta="right">{row.not_stated}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function FailingCase({ row }: { row: QualityCase }) {
  return (
    <li className="eq-failing">
      <img src={row.thumbnail_url} alt={row.case} loading="lazy" width={96} height={96} />
      <div>
        <strong>{row.case}</strong>{" "}
        <span className="eq-dim">
          {[row.modality, row.kernel, row.manufacturer, row.shape.join(" × ")].filter(Boolean).join(", ")}
        </span>
        {row.checks
          .filter((check) => check.outcome !== "passed")
          .map((check) => (
            <div key={check.rule}>
              <Badge size="xs" variant="light" color={check.outcome === "failed" ? "red" : "yellow"}>
                {text.outcomes[check.outcome]}
              </Badge>{" "}
              {check.sentence}
            </div>
          ))}
      </div>
    </li>
  );
}

function Body({ quality }: { quality: Quality }) {
  const failing = quality.cases.filter((row) => !row.accepted);
  return (
    <>
      <Text mb="sm">
        {quality.limited ? text.summary(quality.accepted, quality.cases.length) : text.unlimited}{" "}
        {failing.length > 0 && text.consequence[quality.failing_cases]}
      </Text>
      <div className="eq-strips">
        {quality.distributions.map((each) => (
          <StripPlot key={each.name} {...each} />
        ))}
      </div>
      <Rules quality={quality} />
      {failing.length > 0 && (
        <>
          <Text fw={600} mt="md" mb="xs">
            {text.failing}
          </Text>
          <ul className="eq-failing-list">
            {failing.map((row) => (
              <FailingCase key={row.case} row={row} />
            ))}
          </ul>
        </>
      )}
    </>
  );
}

/** The material against the protocol's limits: distributions first, counts next, then each case that fails. */
export function QualityPanel({ trial }: { trial: Trial }) {
  const quality = useQuery(qualityQuery(trial.id));
  if (quality.data?.cases.length === 0) return null;
  return (
    <section>
      <PanelTitle>{text.title}</PanelTitle>
      <Loaded query={quality}>{(body) => <Body quality={body} />}</Loaded>
    </section>
  );
}
