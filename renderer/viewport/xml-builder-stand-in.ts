/**
 * Stands in for `xmlbuilder2` (vite.config.ts): vtk.js imports it for writing XML files, which this app never does,
 * and it needs Node's `events` at load time.
 */
export function create(): never {
  throw new Error("XML writing is not part of this app.");
}
