import type { Database } from "../database.ts";
import { initial } from "./0001-initial.ts";

export type Migration = (database: Pick<Database, "all" | "run">) => void;

/** In order; the schema's version is how many have run. Never change one that was released: add another. */
export const migrations: readonly Migration[] = [initial];
