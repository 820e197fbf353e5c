import { client } from "@gateline/api-client";
import { Brand, ButtonLink, FormPanel, NewPasswordField, useForm, useTitle } from "@gateline/ui";
import { useQueryClient } from "@tanstack/react-query";
import { useLocation } from "@tanstack/react-router";
import { useState } from "react";

/** Where the link for a new password leads. */
export default function Reset() {
  useTitle("New password");
  const token = useLocation({ select: (location) => location.hash });
  const [changed, setChanged] = useState(false);
  return (
    <div className="space-y-6">
      <Brand part="console" />
      {changed ? (
        <>
          <h1 className="text-2xl">The password is changed</h1>
          <p role="status" className="text-ink-2">
            Whoever was signed in with the old one is not any more.
          </p>
          <ButtonLink to="/sign-in" kind="primary">
            Sign in
          </ButtonLink>
        </>
      ) : (
        <>
          <h1 className="text-2xl">{token ? "Choose a new password" : "The link is not whole"}</h1>
          {token ? (
            <ResetForm token={token} after={() => setChanged(true)} />
          ) : (
            <p className="text-ink-2">Copy it again, with everything that follows the # in it.</p>
          )}
        </>
      )}
    </div>
  );
}

function ResetForm({ token, after }: { token: string; after: () => void }) {
  const queries = useQueryClient();
  const form = useForm({
    initial: { password: "" },
    send: async ({ password }) => client.POST("/api/v1/auth/password-reset", { body: { token, password } }),
    after: () => {
      void queries.invalidateQueries({ queryKey: ["session"] });
      after();
    },
  });
  return (
    <FormPanel form={form} submit="Change password" unguarded>
      <NewPasswordField label="New password" value={form.values.password} set={(password) => form.set({ password })} />
    </FormPanel>
  );
}
