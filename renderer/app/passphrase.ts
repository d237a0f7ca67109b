/** Shorter ones are guessed off line, whatever the key derivation. */
export const shortestPassphrase = 10;

/** What is wrong with a new passphrase, in words; null when nothing is. */
export function passphraseProblem(passphrase: string, repeated: string): string | null {
  if (passphrase.length < shortestPassphrase) return `Use at least ${shortestPassphrase} characters.`;
  if (passphrase !== repeated) return "The two passphrases differ.";
  return null;
}
