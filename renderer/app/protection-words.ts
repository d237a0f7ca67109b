import type { KeyProtection } from "../../core/settings.ts";

/** What each way of keeping the archive's key protects against, and what it does not. */
export const protectionWords = {
  "safe-storage": {
    title: "This computer's key store",
    text: "Opens by itself when you are logged in. Protects a lost or copied disk. Does not protect against someone who can log in as you.",
  },
  passphrase: {
    title: "A passphrase",
    text: "Asked at every start. Protects a lost or copied disk, and against others who use this login while the app is closed. Forgotten together with the recovery key, the archive is lost.",
  },
  "key-file": {
    title: "A key file outside the data folder",
    text: "Opens by itself. Protects copies and backups of the data folder. Does not protect a stolen disk, nor against anyone who can read your files.",
  },
} as const satisfies Record<KeyProtection, { title: string; text: string }>;
