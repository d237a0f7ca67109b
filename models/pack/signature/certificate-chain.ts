import { X509Certificate } from "node:crypto";
import { X509Certificate as CertificateFields } from "@sigstore/core";
import { untrusted } from "./trust.ts";

const longestChain = 10;

/** Extended key usage: signing of code. */
const codeSigning = "1.3.6.1.5.5.7.3.3";

/**
 * The signer's certificate, once it leads to one of `trusted`. Everything must have been valid when the signer's
 * certificate began: a site without a network has no other time to go by, and a pack outlives its certificate (the same
 * rule as OpenSSF's tool).
 * @throws pack-untrusted
 */
export function checkChain(
  chain: readonly Uint8Array[],
  trusted: readonly X509Certificate[],
): X509Certificate {
  const [signer, ...between] = chain.map(readCertificate);
  if (signer === undefined) throw untrusted("it names no certificate");
  const at = new Date(signer.validFrom);
  refuseOtherUse(signer);
  let current = signer;
  for (let depth = 0; depth < longestChain; depth++) {
    const held = trusted.find((one) => one.fingerprint256 === current.fingerprint256);
    const root = held ?? trusted.find((one) => isIssuer(one, current, at));
    if (root !== undefined && isValid(root, at)) return signer;
    const next = between.find((one) => one !== current && isIssuer(one, current, at));
    if (next === undefined) break;
    between.splice(between.indexOf(next), 1);
    current = next;
  }
  throw untrusted("its certificate leads to no authority that the policy names");
}

/** @throws pack-untrusted */
export function readCertificate(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (cause) {
    throw untrusted("a certificate in it cannot be read", cause);
  }
}

function isIssuer(issuer: X509Certificate, certificate: X509Certificate, at: Date): boolean {
  return (
    issuer.ca &&
    certificate.checkIssued(issuer) &&
    isValid(issuer, at) &&
    certificate.verify(issuer.publicKey)
  );
}

function isValid({ validFrom, validTo }: X509Certificate, at: Date): boolean {
  return new Date(validFrom) <= at && at <= new Date(validTo);
}

function refuseOtherUse(signer: X509Certificate): void {
  const extended: readonly string[] = signer.keyUsage ?? [];
  if (extended.includes(codeSigning) || mayMakeSignatures(signer)) return;
  throw untrusted("its certificate is not for signatures");
}

/** The key usage extension, which node:crypto does not show. */
function mayMakeSignatures(signer: X509Certificate): boolean {
  try {
    return CertificateFields.parse(signer.raw).extKeyUsage?.digitalSignature === true;
  } catch (cause) {
    throw untrusted("its certificate cannot be read", cause);
  }
}
