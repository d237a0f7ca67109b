import { useState } from "react";
import { Field } from "../ui/Field.tsx";
import { passphraseProblem } from "./passphrase.ts";

/** A passphrase that is chosen: typed twice, so that a slip does not lock the archive. */
export interface NewPassphrase {
  readonly passphrase: string;
  /** Why it cannot be taken, in words for the user; null where it can. */
  readonly problem: string | null;
  readonly repeated: string;
  readonly setPassphrase: (value: string) => void;
  readonly setRepeated: (value: string) => void;
}

export function useNewPassphrase(): NewPassphrase {
  const [passphrase, setPassphrase] = useState("");
  const [repeated, setRepeated] = useState("");
  return {
    passphrase,
    problem: passphraseProblem(passphrase, repeated),
    repeated,
    setPassphrase,
    setRepeated,
  };
}

/** `name` as it begins a label; `tried`: the problem is shown. */
export function NewPassphraseFields({
  chosen,
  name,
  tried,
}: {
  readonly chosen: NewPassphrase;
  readonly name: string;
  readonly tried: boolean;
}) {
  return (
    <div className="gate-pair">
      <Field
        label={name}
        type="password"
        autoComplete="new-password"
        value={chosen.passphrase}
        onChange={(event) => chosen.setPassphrase(event.target.value)}
      />
      <Field
        label={`${name} again`}
        type="password"
        autoComplete="new-password"
        value={chosen.repeated}
        error={tried ? chosen.problem : null}
        onChange={(event) => chosen.setRepeated(event.target.value)}
      />
    </div>
  );
}
