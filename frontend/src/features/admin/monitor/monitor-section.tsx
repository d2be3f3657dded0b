import { Badge, Group, Progress, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { EnvironmentRow, PaceRow, Trial } from "@/api/types";
import { admin } from "@/lib/messages-admin";
import { dateTime, day, duration } from "@/timing/formats";
import { monitorQuery } from "../api";
import { Loaded } from "../shell/problem";
import { LeftReadings } from "./left-readings";
import { RemindersPanel } from "./reminders-panel";
import { ReviewPanel } from "./review-panel";

const text = admin.monitor;

function Row({ row }: { row: PaceRow }) {
  return (
    <Table.Tr>
      <Table.Td>{row.participant}</Table.Td>
      <Table.Td>
        {admin.common.of(row.submitted, row.planned)}
        <Progress
          size="xs"
          value={row.planned > 0 ? (100 * row.submitted) / row.planned : 0}
          aria-label={admin.common.of(row.submitted, row.planned)}
        />
      </Table.Td>
      <Table.Td ta="right">{row.missing}</Table.Td>
      <Table.Td ta="right">
        {duration(row.median_wall_s)}
        {row.quartiles_wall_s && (
          <div className="eq-dim">
            {text.spread(duration(row.quartiles_wall_s[0] ?? null), duration(row.quartiles_wall_s[1] ?? null))}
          </div>
        )}
      </Table.Td>
      <Table.Td ta="right">{row.readings_last_week}</Table.Td>
      <Table.Td>
        {text.sessions(row.sessions)}
        {row.on_break_since && <div className="eq-dim">{text.onBreak(dateTime(row.on_break_since))}</div>}
        {!row.on_break_since && row.last_break_at && (
          <div className="eq-dim">{text.lastBreak(dateTime(row.last_break_at))}</div>
        )}
      </Table.Td>
      <Table.Td>{dateTime(row.last_activity_at)}</Table.Td>
      <Table.Td>{day(row.expected_finish)}</Table.Td>
      <Table.Td>
        {row.flags.length === 0 && <span className="eq-dim">{text.nothing}</span>}
        <Group gap={6}>
          {row.flags.map((flag) => (
            <Badge key={flag.code} color="yellow" variant="light" tt="none">
              {flag.message} ({flag.count})
            </Badge>
          ))}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

/** A size, or the smallest and largest of several; nothing where the browser told none. */
function windowOf(row: EnvironmentRow): string {
  const { window_width_px_min, window_height_px_min, window_width_px_max, window_height_px_max } = row;
  if (window_width_px_min === null || window_height_px_min === null) return "";
  const least = text.size(window_width_px_min, window_height_px_min);
  return text.sizes(
    least,
    text.size(window_width_px_max ?? window_width_px_min, window_height_px_max ?? window_height_px_min),
  );
}

function GreySteps({ row }: { row: EnvironmentRow }) {
  if (row.grey_steps === null) return null;
  const isFailed = row.grey_steps === "failed";
  return (
    <Group gap={6}>
      <Badge color={row.grey_steps === "passed" ? "teal" : "yellow"} variant="light" tt="none">
        {text.greyStepsOf[row.grey_steps] ?? row.grey_steps}
      </Badge>
      {isFailed && <span className="eq-dim">{text.found(row.dark_found ?? 0, row.bright_found ?? 0)}</span>}
      {row.grey_steps_tries > 1 && <span className="eq-dim">{text.tries(row.grey_steps_tries)}</span>}
    </Group>
  );
}

function EnvironmentLine({ row }: { row: EnvironmentRow }) {
  const { screen_width_px, screen_height_px, device_pixel_ratio, zoom_percent, renderer } = row;
  return (
    <Table.Tr>
      <Table.Td>{row.participant}</Table.Td>
      <Table.Td ta="right">{row.session}</Table.Td>
      <Table.Td ta="right">{row.readings}</Table.Td>
      <Table.Td>
        {row.simulated ? <span className="eq-dim">{text.simulated}</span> : windowOf(row)}
        {row.changes_during_readings > 0 && <div className="eq-dim">{text.changed(row.changes_during_readings)}</div>}
      </Table.Td>
      <Table.Td>
        {screen_width_px !== null && screen_height_px !== null && text.size(screen_width_px, screen_height_px)}
      </Table.Td>
      <Table.Td ta="right">{device_pixel_ratio}</Table.Td>
      <Table.Td ta="right">{zoom_percent !== null && text.percent(zoom_percent)}</Table.Td>
      <Table.Td>{renderer === "none" ? text.rendererNone : renderer}</Table.Td>
      <Table.Td>
        <GreySteps row={row} />
      </Table.Td>
    </Table.Tr>
  );
}

function Environments({ rows }: { rows: readonly EnvironmentRow[] }) {
  if (rows.length === 0) return null;
  return (
    <>
      <Title order={2} size="h4" mt="xl" mb={4}>
        {text.environments}
      </Title>
      <Text c="dimmed" mb="xs">
        {text.environmentsText}
      </Text>
      <div className="eq-scroll">
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{text.participant}</Table.Th>
              <Table.Th ta="right">{text.session}</Table.Th>
              <Table.Th ta="right">{text.readings}</Table.Th>
              <Table.Th>{text.window}</Table.Th>
              <Table.Th>{text.screen}</Table.Th>
              <Table.Th ta="right">{text.ratio}</Table.Th>
              <Table.Th ta="right">{text.zoom}</Table.Th>
              <Table.Th>{text.renderer}</Table.Th>
              <Table.Th>{text.greySteps}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <EnvironmentLine
                key={[row.participant, row.session, row.display, row.device_pixel_ratio, row.zoom_percent].join(" ")}
                row={row}
              />
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </>
  );
}

export default function MonitorSection({ trial }: { trial: Trial }) {
  const monitor = useQuery(monitorQuery(trial.id));
  return (
    <>
      <Title order={2} size="h4" mb="xs">
        {text.title}
      </Title>
      <Loaded query={monitor}>
        {(body) =>
          body.pace.length === 0 ? (
            <Text c="dimmed">{text.empty}</Text>
          ) : (
            <>
              <div className="eq-scroll">
                <Table>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>{text.participant}</Table.Th>
                      <Table.Th>{text.readings}</Table.Th>
                      <Table.Th ta="right">{text.missing}</Table.Th>
                      <Table.Th ta="right">{text.median}</Table.Th>
                      <Table.Th ta="right">{text.pace}</Table.Th>
                      <Table.Th>{text.breaks}</Table.Th>
                      <Table.Th>{text.last}</Table.Th>
                      <Table.Th>{text.finish}</Table.Th>
                      <Table.Th>{text.flags}</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {body.pace.map((row) => (
                      <Row key={row.participant} row={row} />
                    ))}
                  </Table.Tbody>
                </Table>
              </div>
              <LeftReadings trial={trial} rows={body.left} />
            </>
          )
        }
      </Loaded>
      <RemindersPanel trial={trial} />
      <ReviewPanel trial={trial} />
      {monitor.data && <Environments rows={monitor.data.environments} />}
    </>
  );
}
