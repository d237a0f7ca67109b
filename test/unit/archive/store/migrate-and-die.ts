import { openDatabase } from "../../../../archive/store/database.ts";
import { deriveKeys } from "../../../../archive/store/derived-keys.ts";
import { type Migration, migrations } from "../../../../archive/store/migrations/all.ts";
import { fixtureKey } from "../../../fixtures/archive/fixture-content.ts";

/**
 * Opens a database of an older version and ends at once before the nth statement of its migrations, as a power cut
 * does; a migration's end counts as one more.
 */
const [folder = "", statement = "1"] = process.argv.slice(2);
let left = Number(statement);

function step(): void {
  left -= 1;
  if (left === 0) process.kill(process.pid, "SIGKILL");
}

const watched: Migration[] = migrations.map((migration) => (database) => {
  migration({
    all: database.all,
    run: (sql, ...parameters) => {
      step();
      database.run(sql, ...parameters);
    },
  });
  step();
});
const keys = deriveKeys(fixtureKey);
openDatabase({
  folder,
  databaseKey: keys.database,
  pagesKey: keys.pages,
  mayBeUnfinished: false,
  migrations: watched,
}).close();
process.exit(0);
