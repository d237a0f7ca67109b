import type { PackSigner, PackStanding } from "../../core/model-pack.ts";

/** What the list says of a pack in one tag. */
export function standingTag({ signed, decision }: PackStanding): { text: string; warning: boolean } | null {
  switch (decision.status) {
    case "refused":
      return { text: "Refused", warning: true };
    case "trusted":
      return { text: "Signed", warning: false };
    case "allowed":
      return { text: "Not signed", warning: false };
    case "no-policy":
      return { text: signed ? "Signed, not checked" : "Not signed", warning: false };
    case "shipped":
      return null;
  }
}

/** Whether this machine takes the pack, in one sentence. */
export function decisionText({ name, signed, decision }: PackStanding): string {
  switch (decision.status) {
    case "shipped":
      return "Came with the app, which is not asked for a signature.";
    case "no-policy":
      return signed
        ? "This machine has no policy for packs: it uses every pack, and whose signature this is was not checked."
        : "This machine has no policy for packs: it uses every pack, signed or not.";
    case "trusted":
      return "The policy of this machine names the signer, and the signature fits pack.json. The other files are compared when the pack is loaded.";
    case "allowed":
      return "The policy of this machine allows packs without a signature.";
    case "refused":
      return `${name} is not used: ${decision.reason}`;
  }
}

/** What whoever looks after the machine can do about a refused pack. */
export function adviceText({ name, decision }: PackStanding): string | null {
  if (decision.status !== "refused") return null;
  switch (decision.cause) {
    case "unsigned":
      return `IT can check it and sign it (meditron models sign ${name} --key FILE), or allow packs without a signature in policy.json.`;
    case "unknown-signer":
      return "IT can name this signer in policy.json, if it is one that the site trusts, or check the pack and sign it with the site's own key.";
    case "changed":
      return "IT can copy it again from where it was signed. If the change was wanted (a new calibration, say), sign it again.";
    case "unreadable":
      return "IT can copy model.sig again from where the pack was signed, or check the pack and sign it anew.";
    case "damaged":
      return "IT can remove it and copy or import it again. A pack that is built on another one needs that one beside it.";
  }
}

/** Null: the signature names nobody. */
export function signerText(signer: PackSigner | null): { who: string; fingerprint: string } | null {
  if (signer === null) return null;
  const who = signer.type === "key" ? "A key" : signer.subject;
  return { who, fingerprint: signer.fingerprint };
}
