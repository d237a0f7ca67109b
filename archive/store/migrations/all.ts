import type { Database } from "../database.ts";
import { initial } from "./0001-initial.ts";
import { variants } from "./0002-variants.ts";
import { imports } from "./0003-imports.ts";

export type Migration = (database: Pick<Database, "all" | "run">) => void;

/**
 * In order; the schema's version is how many have run. Never change one that was released: add another, and with it
 * the fixture of the version before (test/fixtures/archive/make-archive-fixture.ts).
 */
export const migrations: readonly Migration[] = [initial, variants, imports];
