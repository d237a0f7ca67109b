import { Bundle, type Envelope, type VerificationMaterial } from "@sigstore/protobuf-specs";
import { payloadType } from "./statement.ts";
import { untrusted } from "./trust.ts";

const mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** What a signature says of its signer. */
export type Signer =
  /** `hint`: as `keyFingerprint` names the key; null in signatures by older tools. */
  | { readonly type: "key"; readonly hint: string | null }
  /** DER, the signer's own first. */
  | { readonly type: "certificates"; readonly chain: readonly Uint8Array[] };

export interface SignatureBundle {
  readonly signer: Signer;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** What is signed: the payload with its type and lengths (DSSE v1.0.0, pre-authentication encoding). */
export function signedBytes(payload: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** A Sigstore bundle with a DSSE envelope, as JSON. */
export function writeBundle({ signer, payload, signature }: SignatureBundle): string {
  const content: VerificationMaterial["content"] =
    signer.type === "key"
      ? { $case: "publicKey", publicKey: { hint: signer.hint ?? "" } }
      : {
          $case: "x509CertificateChain",
          x509CertificateChain: {
            certificates: signer.chain.map((certificate) => ({ rawBytes: Buffer.from(certificate) })),
          },
        };
  const envelope: Envelope = {
    payload: Buffer.from(payload),
    payloadType,
    signatures: [{ sig: Buffer.from(signature), keyid: "" }],
  };
  const bundle: Bundle = {
    mediaType,
    verificationMaterial: { content, tlogEntries: [], timestampVerificationData: undefined },
    content: { $case: "dsseEnvelope", dsseEnvelope: envelope },
  };
  return `${JSON.stringify(Bundle.toJSON(bundle), null, 2)}\n`;
}

/** @throws pack-untrusted */
export function readBundle(bytes: Uint8Array): SignatureBundle {
  const { verificationMaterial, content, ...bundle } = parseBundle(bytes);
  const envelope = content?.$case === "dsseEnvelope" ? content.dsseEnvelope : undefined;
  const [signature, ...more] = envelope?.signatures ?? [];
  if (
    bundle.mediaType !== mediaType ||
    envelope?.payloadType !== payloadType ||
    signature === undefined ||
    more.length > 0
  ) {
    throw untrusted(`${mediaType} with one signature is needed`);
  }
  return {
    signer: signerOf(verificationMaterial),
    payload: envelope.payload,
    signature: signature.sig,
  };
}

function signerOf(material: VerificationMaterial | undefined): Signer {
  const content = material?.content;
  if (content?.$case === "publicKey")
    return { type: "key", hint: content.publicKey.hint === "" ? null : content.publicKey.hint };
  if (content?.$case === "x509CertificateChain") {
    const chain = content.x509CertificateChain.certificates.map(({ rawBytes }) => rawBytes);
    if (chain.length > 0 && chain.length <= 10) return { type: "certificates", chain };
  }
  if (content?.$case === "certificate")
    throw untrusted("it was made through Sigstore's public service, which cannot be asked offline");
  throw untrusted("it does not say who signed");
}

function parseBundle(bytes: Uint8Array): Bundle {
  try {
    return Bundle.fromJSON(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw untrusted("its file cannot be read", cause);
  }
}
