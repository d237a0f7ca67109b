/** Warnings that say why an answer's evidence is not there, or not all of it. A later test of the answer takes them back. */

const mapBegins = "The evidence map was not computed";
const testBegins = "The evidence could not be tested";

export function mapLeftOut(seconds: number): string {
  return `${mapBegins}: it would take about ${Math.ceil(seconds)} s. Start it by hand.`;
}

export function evidenceFailed(why: string): string {
  return `${testBegins}: ${why}`;
}

export function saysLeftOut(warning: string): boolean {
  return warning.startsWith(mapBegins) || warning.startsWith(testBegins);
}
