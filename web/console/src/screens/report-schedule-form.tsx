import { type Schemas, read } from "@gateline/api-client";
import { ChoiceField, FormPanel, SelectField, TextField, figure, nameOf, useForm, zone } from "@gateline/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

type Spec = Omit<Schemas["ReportScheduleSpec"], "managed_by">;
type Interval = Spec["interval"];

/** When a report is sent, by how often. */
export const intervals: Record<Interval, string> = {
  day: "Each day, about the day before",
  week: "Each Monday, about the week before",
  month: "Each first of a month, about the month before",
};

const hours = Array.from({ length: 24 }, (_, hour): [string, string] => [String(hour), `${String(hour).padStart(2, "0")}:00`]);

/** The form of a schedule, new or changed. */
export function ReportScheduleForm(props: {
  schedule?: Schemas["ReportSchedule"];
  submit: string;
  cancel: string;
  send: (spec: Spec) => Promise<{ id: string }>;
  after: (id: string) => void;
}) {
  const { schedule } = props;
  const reports = useQuery(read("/api/v1/reports"));
  const channels = useQuery(read("/api/v1/alert-channels", { params: { query: { limit: 200 } } }));
  const apis = useQuery(read("/api/v1/apis", { params: { query: { limit: 200 } } }));
  const takes = (report: Spec["report"], parameter: string) => reports.data?.data.find(({ name }) => name === report)?.parameters.includes(parameter) ?? false;
  const form = useForm({
    initial: {
      name: schedule?.name ?? "",
      title: schedule?.title ?? "",
      report: schedule?.report ?? ("traffic" as Spec["report"]),
      api: schedule?.api ?? "",
      application: schedule?.application ?? "",
      capacity: String(schedule?.capacity ?? ""),
      monthly_cost: String(schedule?.monthly_cost ?? ""),
      cost_by: schedule?.cost_by ?? ("time" as Schemas["CostBy"]),
      interval: schedule?.interval ?? ("week" as Interval),
      hour: String(schedule?.hour ?? 6),
      time_zone: schedule?.time_zone ?? (schedule ? "" : zone()),
      format: schedule?.format ?? ("pdf" as Schemas["ReportFormat"]),
      channels: schedule?.channels ?? ([] as string[]),
    },
    send: ({ api, application, capacity, monthly_cost, cost_by, hour, time_zone, ...values }) =>
      props.send({
        ...values,
        hour: Number(hour),
        paused: schedule?.paused ?? false,
        ...(takes(values.report, "api") && api && { api }),
        ...(takes(values.report, "application") && application && { application }),
        ...(takes(values.report, "capacity") && figure(capacity) !== undefined && { capacity: figure(capacity) as number }),
        ...(takes(values.report, "monthly_cost") && figure(monthly_cost) !== undefined && { monthly_cost: figure(monthly_cost) as number }),
        ...(takes(values.report, "cost_by") && { cost_by }),
        ...(time_zone && { time_zone }),
      }),
    after: (made) => props.after(made.id),
  });
  const { values, set } = form;
  const has = (parameter: string) => takes(values.report, parameter);
  return (
    <FormPanel form={form} submit={props.submit} cancel={props.cancel}>
      <TextField
        label="Title"
        pointer="/title"
        help="The subject of the mails."
        value={values.title}
        set={(title) => set(values.name === nameOf(values.title) ? { title, name: nameOf(title) } : { title })}
      />
      <TextField label="Name" pointer="/name" mono help="Stands in files and commands." value={values.name} set={(name) => set({ name })} />
      <SelectField
        label="Report"
        pointer="/report"
        value={values.report}
        set={(report) => set({ report: report as Spec["report"] })}
        options={(reports.data?.data ?? []).map((report) => [report.name, report.title])}
      />
      {has("api") && (
        <SelectField
          label="API"
          pointer="/api"
          value={values.api}
          set={(api) => set({ api })}
          options={[["", "Every API"], ...(apis.data?.data ?? []).map((api): [string, string] => [api.name, api.title])]}
        />
      )}
      {has("application") && (
        <TextField
          label="Application"
          optional
          pointer="/application"
          help="Its id or name. Empty: every application."
          value={values.application}
          set={(application) => set({ application })}
        />
      )}
      {has("capacity") && (
        <TextField
          label="Calls of a day that can be served"
          optional
          pointer="/capacity"
          type="number"
          value={values.capacity}
          set={(capacity) => set({ capacity })}
        />
      )}
      {has("monthly_cost") && (
        <div className="grid gap-x-4 gap-y-5 sm:grid-cols-2">
          <TextField
            label="Costs of a month"
            optional
            pointer="/monthly_cost"
            type="number"
            help="Of serving all calls, in any currency."
            value={values.monthly_cost}
            set={(monthly_cost) => set({ monthly_cost })}
          />
          <SelectField
            label="Shared out"
            pointer="/cost_by"
            value={values.cost_by}
            set={(cost_by) => set({ cost_by: cost_by as Schemas["CostBy"] })}
            options={[
              ["time", "By the time that calls took"],
              ["calls", "By the number of calls"],
              ["bytes_out", "By what was sent"],
            ]}
          />
        </div>
      )}
      <SelectField
        label="Sent"
        pointer="/interval"
        value={values.interval}
        set={(interval) => set({ interval: interval as Interval })}
        options={Object.entries(intervals)}
      />
      <div className="grid gap-x-4 gap-y-5 sm:grid-cols-2">
        <SelectField label="From" pointer="/hour" value={values.hour} set={(hour) => set({ hour })} options={hours} />
        <TextField label="Time zone" pointer="/time_zone" help="As Europe/Berlin; empty: UTC." value={values.time_zone} set={(time_zone) => set({ time_zone })} />
      </div>
      <SelectField
        label="Attached to mails as"
        pointer="/format"
        value={values.format}
        set={(format) => set({ format: format as Schemas["ReportFormat"] })}
        options={[
          ["pdf", "PDF, to read and to print"],
          ["csv", "CSV, to calculate with"],
        ]}
      />
      <ChoiceField
        label="Sent to"
        help={
          channels.data?.data.length === 0 ? (
            <>
              There is no channel yet: <Link to="/alerts/channels">add a mailbox or a webhook</Link> first.
            </>
          ) : (
            "Channels of alerts: mailboxes get the file, webhooks get JSON."
          )
        }
        options={(channels.data?.data ?? []).map((channel) => ({ value: channel.name, title: channel.title, text: channel.name }))}
        chosen={values.channels}
        set={(chosen) => set({ channels: chosen })}
      />
    </FormPanel>
  );
}
