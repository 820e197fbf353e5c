import { client, done } from "@gateline/api-client";
import { Detail, useGo } from "@gateline/ui";
import { AlertRuleForm } from "./alert-rule-form";

/** A new rule. */
export default function AlertRuleNew() {
  const go = useGo();
  return (
    <Detail from={["/alerts/rules", "Rules"]} title="Add a rule" text="What must not be, and who is told when it is so.">
      <AlertRuleForm
        submit="Add rule"
        cancel="/alerts/rules"
        send={async (body) => done(await client.POST("/api/v1/alert-rules", { body }))}
        after={(id) => go(`/alerts/rules/${id}`)}
      />
    </Detail>
  );
}
